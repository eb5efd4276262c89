"""Settings that are refused at the start rather than at the first mail."""

import pytest
from campaigns_svc.settings import CampaignsSettings

_GOOD = {
    "database_url": "postgresql://x",
    "system_database_url": "postgresql://x",
    "event_log_url": "postgresql://x",
    "secret": "0123456789abcdefghijklmnopqrstuvwxyz",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mail_from", "nobody"),
        ("mail_from", "News <news@>"),
        ("mail_from", "News <news@example.com>\r\nBcc: x@example.com"),
        ("public_url", "crm.example.com"),
        ("public_url", "ftp://crm.example.com"),
        ("public_url", "https://客户.example.com"),
        ("send_lease_seconds", 30.0),
    ],
)
def test_a_setting_that_cannot_work_is_named(name: str, value: object) -> None:
    settings = CampaignsSettings(**{**_GOOD, name: value})  # type: ignore[arg-type]  # validated by pydantic
    assert [fault.partition(":")[0] for fault in settings.faults()] == [name.upper()]


def test_mail_is_optional() -> None:
    for mail in ({}, {"mail_from": "商店 <news@shop.example>"}):
        settings = CampaignsSettings(**{**_GOOD, **mail})  # type: ignore[arg-type]  # validated by pydantic
        assert list(settings.faults()) == []
