"""What the gateway remembers for seconds it has forgotten after them, also where nobody asks for it again."""

import orjson
from crm_contracts.ids import ContactId, TenantId
from crm_kit.http.principal import Principal
from gateway.access.failures import FailedAttempts
from gateway.access.known_keys import KnownKey, KnownKeys
from gateway.access.memory import TTL_SECONDS
from gateway.access.rate_limit import RateLimiter
from gateway.recent_writes import REMEMBERED_SECONDS, RecentWrites

_MANY = 500


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_writes_of_customers_whom_nobody_reads() -> None:
    clock, tenant_id = _Clock(), TenantId.new()
    recent = RecentWrites(clock)
    for _ in range(_MANY):
        contact_id = ContactId.new()
        recent.note(tenant_id, f"{contact_id}@1", orjson.dumps({"id": contact_id}))
    assert recent.remembered == _MANY
    clock.now += REMEMBERED_SECONDS
    last = ContactId.new()
    recent.note(tenant_id, f"{last}@1", orjson.dumps({"id": last}))
    assert recent.remembered == 1
    assert recent.of(tenant_id, last) == {last: 1}


def test_a_customer_who_is_written_again_is_remembered_from_then_on() -> None:
    clock, tenant_id, first, second = _Clock(), TenantId.new(), ContactId.new(), ContactId.new()
    recent = RecentWrites(clock)
    for contact_id in (first, second, first):
        recent.note(tenant_id, f"{contact_id}@1", orjson.dumps({"id": contact_id}))
        clock.now += REMEMBERED_SECONDS * 0.4
    recent.note(tenant_id, f"{ContactId.new()}@1", b"")
    assert recent.of(tenant_id, first) == {first: 1}


async def test_keys_that_are_asked_for_once() -> None:
    clock = _Clock()

    async def find(digest: bytes) -> KnownKey | None:
        known = digest.startswith(b"known")
        return KnownKey(Principal(digest.decode(), "tenant_1"), None) if known else None

    keys = KnownKeys(clock)

    async def get(digest: bytes) -> KnownKey | None:
        return await keys.get(digest, lambda: find(digest))

    for number in range(_MANY):
        assert await get(b"known %d" % number)
        assert await get(b"unknown %d" % number) is None
    assert keys.remembered == 2 * _MANY
    clock.now += TTL_SECONDS
    assert await get(b"known again")
    assert await get(b"unknown again") is None
    assert keys.remembered == 2


def test_quotas_that_are_whole_again() -> None:
    clock = _Clock()
    limiter = RateLimiter(2, 10, clock)
    for number in range(_MANY):
        limiter.take(f"key_{number}")
    assert limiter.remembered == _MANY
    clock.now += 5
    assert all(limiter.take("key_often").allowed for _ in range(2))
    clock.now += 5
    assert limiter.take("key_often").allowed
    assert limiter.remembered == 1
    assert not limiter.take("key_often").allowed


def test_failures_that_are_forgiven() -> None:
    clock = _Clock()
    failures = FailedAttempts(5, clock)
    for number in range(_MANY):
        failures.failed(f"address {number}", f"prefix {number}")
    assert failures.remembered == 2 * _MANY
    clock.now += 60
    failures.failed("one", "one")
    assert failures.remembered == 2
    for number in range(11_000):
        failures.succeeded(b"%d" % number)
    assert failures.remembered == 2 + 10_000
