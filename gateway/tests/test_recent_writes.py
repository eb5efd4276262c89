"""What is remembered of the writes that passed, and for how long."""

import orjson
from gateway.recent_writes import REMEMBERED_SECONDS, RecentWrites

_TENANT = "tenant_01jd3zq8w9e2vbx7k5m4n6p8qr"
_CONTACT = "contact_01jd3zq8w9e2vbx7k5m4n6p8qr"
_ACCOUNT = "account_01jd3zq8w9e2vbx7k5m4n6p8qr"
_DEAL = "deal_01jd3zq8w9e2vbx7k5m4n6p8qr"


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _noted(clock: _Clock, version: int = 3, **members: object) -> RecentWrites:
    recent = RecentWrites(clock)
    recent.note(_TENANT, f"{_DEAL}@{version}", orjson.dumps({"id": _DEAL, **members}))
    return recent


def test_a_write_concerns_its_contact_and_its_account() -> None:
    recent = _noted(_Clock(), contact_id=_CONTACT, account_id=_ACCOUNT)
    assert recent.of(_TENANT, _CONTACT) == recent.of(_TENANT, _ACCOUNT) == {_DEAL: 3}
    assert recent.of("tenant_01jd3zq8w9e2vbx7k5m4n6p8qs", _CONTACT) == {}


def test_a_customer_is_its_own_also_when_it_is_deleted() -> None:
    recent = RecentWrites(_Clock())
    recent.note(_TENANT, f"{_CONTACT}@1", orjson.dumps({"id": _CONTACT, "account_id": None}))
    assert recent.of(_TENANT, _CONTACT) == {_CONTACT: 1}
    recent.note(_TENANT, f"{_CONTACT}@2", b"")
    assert recent.of(_TENANT, _CONTACT) == {_CONTACT: 2}


def test_it_is_forgotten_after_its_time_or_once_it_was_seen() -> None:
    clock = _Clock()
    recent = _noted(clock, contact_id=_CONTACT)
    recent.seen(_TENANT, _CONTACT, {_DEAL: 2})
    assert recent.of(_TENANT, _CONTACT) == {_DEAL: 3}, "an older version was seen"
    clock.now = REMEMBERED_SECONDS
    assert recent.of(_TENANT, _CONTACT) == {}
    recent = _noted(clock, contact_id=_CONTACT)
    recent.seen(_TENANT, _CONTACT, {_DEAL: 3})
    assert recent.of(_TENANT, _CONTACT) == {}


def test_of_many_writes_about_one_customer_the_newest_are_waited_for() -> None:
    recent = RecentWrites(_Clock())
    for number in range(100):
        deal = f"deal_{number:026d}"
        recent.note(_TENANT, f"{deal}@1", orjson.dumps({"id": deal, "contact_id": _CONTACT}))
    waited = recent.of(_TENANT, _CONTACT)
    assert len(waited) == 20
    assert f"deal_{99:026d}" in waited


def test_what_is_no_token_of_an_entity_is_passed_over() -> None:
    recent = RecentWrites(_Clock())
    for token in ("", "nonsense", f"{_DEAL}@0", f"{_DEAL}@1, {_CONTACT}@1"):
        recent.note(_TENANT, token, orjson.dumps({"contact_id": _CONTACT}))
    recent.note(_TENANT, f"{_DEAL}@1", orjson.dumps([_CONTACT]))
    assert recent.of(_TENANT, _CONTACT) == {}
