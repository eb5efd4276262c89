"""From a good token to a user: provisioned once, found again, in the teams and roles that the claims say."""

import asyncio
import base64
import time
from typing import Any

import pytest
from crm_testkit.door import Door, Keyholder
from crm_testkit.issuer import Issuer, ec_key
from crm_testkit.stand_in import Reply
from sqlalchemy import event

CONTACTS, USERS, PROVIDERS = "/v1/contacts", "/v1/users", "/v1/identity-providers"


async def users(tenant: Keyholder) -> list[dict[str, Any]]:
    return list((await tenant.client.get(USERS)).json()["data"])


async def status(door: Door, token: str, path: str = CONTACTS) -> int:
    return (await door.client(token).get(path)).status_code


async def until(door: Door, token: str, expected: int) -> None:
    """What another process did counts within seconds."""
    async with asyncio.timeout(8):
        while await status(door, token) != expected:
            await asyncio.sleep(0.2)


async def test_first_sight_makes_a_user_and_tells_of_it(
    door: Door, tenant: Keyholder, issuer: Issuer, register: Any
) -> None:
    provider = await register()
    assert await status(door, issuer.token()) == 200
    [user] = await users(tenant)
    assert (user["name"], user["email"], user["status"]) == ("陈静", "jing@example.com", "active")
    [told] = await door.service.events("crm.gateway.user", key=user["id"])
    assert (told.type, told.actor_id) == ("crm.gateway.user.created.v1", provider["id"])
    assert await status(door, issuer.token(jti="another", name="Renamed")) == 200
    assert await users(tenant) == [user]


async def test_first_requests_at_once_make_one_user(
    door: Door, tenant: Keyholder, issuer: Issuer, register: Any
) -> None:
    await register()
    tokens = [issuer.token(jti=str(number)) for number in range(8)] * 2
    assert await asyncio.gather(*(status(door, token) for token in tokens)) == [200] * 16
    assert len(await users(tenant)) == 1


async def test_what_people_do_is_done_by_them(door: Door, tenant: Keyholder, issuer: Issuer, register: Any) -> None:
    await register()
    client = door.client(issuer.token())
    await client.get(CONTACTS)
    [user] = await users(tenant)
    assert '"sub"' not in user  # the id is ours, and not the provider's
    asked = door.behind["contacts"].last.headers["authorization"]
    assert user["id"] in _claims(asked.removeprefix("Bearer "))
    assert (await client.post("/v1/teams", json={"name": "x"})).json()["missing_permission"] == "admin"


def _claims(token: str) -> str:
    return base64.urlsafe_b64decode(token.split(".")[1] + "==").decode()


async def test_a_disabled_user_is_refused_within_seconds(
    door: Door, tenant: Keyholder, issuer: Issuer, register: Any
) -> None:
    await register()
    token = issuer.token()
    assert await status(door, token) == 200
    [user] = await users(tenant)
    await tenant.client.patch(f"{USERS}/{user['id']}", json={"status": "disabled"})
    await until(door, token, 401)
    assert await status(door, issuer.token(jti="fresh")) == 401
    await tenant.client.patch(f"{USERS}/{user['id']}", json={"status": "active"})
    await until(door, token, 200)


async def test_teams_follow_the_claims_and_leave_others_alone(
    door: Door, tenant: Keyholder, issuer: Issuer, register: Any
) -> None:
    sales, leads, own = [
        (await tenant.client.post("/v1/teams", json={"name": name})).json()["id"] for name in ("Sales", "Leads", "Own")
    ]
    mapping = [{"value": "sales", "team_id": sales}, {"value": "/leads", "team_id": leads, "manager": True}]
    await register(claims={"groups": "realm.groups"}, teams=mapping)
    now = int(time.time())
    await status(door, issuer.token(realm={"groups": ["sales", "unknown"]}, iat=now - 10))
    [user] = await users(tenant)
    assert user["teams"] == [{"team_id": sales, "manager": False}]
    by_hand = [*user["teams"], {"team_id": own, "manager": True}]
    await tenant.client.patch(f"{USERS}/{user['id']}", json={"teams": by_hand})

    await status(door, issuer.token(realm={"groups": ["/leads"]}, iat=now - 5))
    [user] = await users(tenant)
    assert user["teams"] == [{"team_id": own, "manager": True}, {"team_id": leads, "manager": True}]
    version = user["version"]
    await status(door, issuer.token(realm={"groups": ["/leads"]}, iat=now - 4))
    await status(door, issuer.token(realm={"groups": ["sales"]}, iat=now - 9))  # older than what was applied
    assert [one["version"] for one in await users(tenant)] == [version]

    await status(door, issuer.token(iat=now - 3))
    assert [one["teams"] for one in await users(tenant)] == [[{"team_id": own, "manager": True}]]


async def test_roles_follow_the_claims(door: Door, issuer: Issuer, register: Any) -> None:
    await register(claims={"roles": "roles"}, roles=[{"value": "crm-admin", "role": "admin"}])
    now = int(time.time())
    assert await status(door, issuer.token(roles=["crm-admin"], iat=now - 2), "/v1/api-keys") == 200
    assert await status(door, issuer.token(roles=["other"], iat=now - 1), "/v1/api-keys") == 403


@pytest.mark.parametrize(
    ("provider", "claims", "expected"),
    [
        ({"trust_email": True}, {}, 200),
        ({"trust_email": True}, {"email": "JING@example.com"}, 200),
        ({"trust_email": True, "provision": False}, {}, 200),
        ({"trust_email": True}, {"email_verified": False}, 401),
        ({"trust_email": True}, {"email_verified": None}, 401),
        ({"trust_email": False}, {}, 401),
    ],
)
async def test_an_address_says_who_somebody_is_only_where_it_is_verified_and_trusted(
    door: Door,
    tenant: Keyholder,
    issuer: Issuer,
    register: Any,
    provider: dict[str, Any],
    claims: dict[str, Any],
    expected: int,
) -> None:
    person = {"name": "陈静", "email": "jing@example.com", "roles": ["integration"]}
    made = (await tenant.client.post(USERS, json=person)).json()
    await register(**provider)
    assert await status(door, issuer.token(**claims)) == expected
    assert [one["id"] for one in await users(tenant)] == [made["id"]]


async def test_an_address_that_was_given_to_somebody_else_opens_nothing(
    door: Door, tenant: Keyholder, issuer: Issuer, register: Any
) -> None:
    await register(trust_email=True)
    assert await status(door, issuer.token(sub="first")) == 200
    assert await status(door, issuer.token(sub="second")) == 401
    assert len(await users(tenant)) == 1


@pytest.mark.parametrize(
    ("provider", "claims"),
    [
        ({"provision": False}, {}),
        ({"domains": ["example.org"]}, {}),
        ({"domains": ["example.com"]}, {"email_verified": False}),
        ({"domains": ["example.com"]}, {"email": "jing@sub.example.com"}),
        ({"domains": ["example.com"]}, {"email": "jing@example.com@evil.example"}),
        ({}, {"email": None}),
        ({}, {"email": "no address"}),
        ({}, {"email": ["jing@example.com"]}),
        ({"claims": {"subject": "oid"}}, {}),
        ({"claims": {"subject": "oid"}}, {"oid": "a\u0000b"}),
        ({"status": "disabled"}, {}),
    ],
)
async def test_who_is_not_let_in(
    door: Door, tenant: Keyholder, issuer: Issuer, register: Any, provider: dict[str, Any], claims: dict[str, Any]
) -> None:
    await register(**provider)
    assert await status(door, issuer.token(**claims)) == 401
    assert await users(tenant) == []


async def test_a_name_that_cannot_be_one_is_replaced_by_the_address(
    door: Door, tenant: Keyholder, issuer: Issuer, register: Any
) -> None:
    await register()
    for number, name in enumerate(["", "  ", "a\nb", 7, None, ["x"]]):
        token = issuer.token(sub=str(number), email=f"p{number}@example.com", name=name)
        assert await status(door, token) == 200
    assert {one["name"] for one in await users(tenant)} == {f"p{number}@example.com" for number in range(6)}


async def test_a_deleted_provider_opens_nothing_and_gives_its_audience_free(
    door: Door, tenant: Keyholder, issuer: Issuer, register: Any
) -> None:
    provider = await register()
    token = issuer.token()
    assert await status(door, token) == 200
    assert (await tenant.client.delete(f"{PROVIDERS}/{provider['id']}")).status_code == 204
    await until(door, token, 401)
    await register(await door.tenant("Other"))


async def test_keys_rotate_and_old_ones_go(door: Door, issuer: Issuer, register: Any) -> None:
    await register()
    old = issuer.keys[0]
    assert await status(door, issuer.token()) == 200
    issuer.keys = [ec_key()]
    await asyncio.sleep(0.6)  # the pause between two readings, as the tests' gateway has it
    assert await status(door, issuer.token(jti="new key")) == 200
    assert await status(door, issuer.token(jti="old key", key=old)) == 401


@pytest.mark.parametrize("fault", [Reply(500), Reply(302, {"location": "http://127.0.0.1:1/"}), Reply(body=b"{")])
async def test_known_keys_outlive_their_issuers_outage(door: Door, issuer: Issuer, register: Any, fault: Reply) -> None:
    await register()
    assert await status(door, issuer.token()) == 200
    issuer.reply = fault
    assert await status(door, issuer.token(jti="during")) == 200
    await asyncio.sleep(0.6)
    assert await status(door, issuer.token(jti="unknown", key=ec_key())) == 401
    assert await status(door, issuer.token(jti="after")) == 200


async def test_an_issuer_that_never_answered_is_told_as_such(door: Door, issuer: Issuer, register: Any) -> None:
    await register()
    issuer.reply = Reply(503)
    answer = await door.client(issuer.token()).get(CONTACTS)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    issuer.reply = None
    await until(door, issuer.token(), 200)


async def test_a_token_that_was_seen_costs_neither_database_nor_issuer(
    door: Door, issuer: Issuer, register: Any
) -> None:
    await register()
    client = door.client(issuer.token())
    assert (await client.get(CONTACTS)).status_code == 200
    before, pool = issuer.asked, door.service.runtime.database.engine
    statements: list[str] = []

    def note(*told: Any) -> None:
        statements.append(str(told[2]))

    event.listen(pool.sync_engine, "before_cursor_execute", note)
    try:
        for _ in range(20):
            assert (await client.get(CONTACTS)).status_code == 200
    finally:
        event.remove(pool.sync_engine, "before_cursor_execute", note)
    # Consumers of this process share the pool.
    about = [
        one for one in statements if any(name in one for name in ("crm_user", "identity_provider", "sign_in_link"))
    ]
    assert (issuer.asked, about) == (before, [])
