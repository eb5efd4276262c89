"""Settings that are refused at the start rather than at the first mail."""

import pytest
from campaigns_svc.settings import CampaignsSettings
from crm_kit.settings import SettingsError

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
    with pytest.raises(SettingsError, match=name.upper()):
        CampaignsSettings(**{**_GOOD, name: value}).refuse_unsafe()  # type: ignore[arg-type]  # validated by pydantic


def test_mail_is_optional() -> None:
    CampaignsSettings(**_GOOD).refuse_unsafe()  # type: ignore[arg-type]  # validated by pydantic
    CampaignsSettings(**{**_GOOD, "mail_from": "商店 <news@shop.example>"}).refuse_unsafe()  # type: ignore[arg-type]  # validated by pydantic
