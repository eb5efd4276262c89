"""How often an issuer is asked, and how long its keys are believed; by a clock of our own."""

import asyncio
import json
from typing import Any

import pytest
from crm_kit.errors import Unavailable
from crm_kit.http.outbound import OutboundFailed
from crm_testkit.issuer import ec_key, ed_key, rsa_key
from gateway.access.issuer_keys import OUTAGE_SECONDS, PAUSE_SECONDS, REFRESH_SECONDS, IssuerKeys
from gateway.access.tokens import TokenRefused
from joserfc.jwk import Key, OctKey

ISSUER = "https://login.example.com"


class Web:
    """What the issuer publishes, and how often it was read."""

    def __init__(self, *keys: Key) -> None:
        self.now = 1_000.0
        self.document: Any = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}
        self.jwks: Any = None
        self.keys: list[Key] = list(keys)
        self.down = False
        self.readings = 0
        self.slow = asyncio.Event()
        self.slow.set()

    async def get(self, url: str, *, max_bytes: int, seconds: float) -> bytes:
        assert max_bytes <= 1024 * 1024
        assert seconds <= 10
        self.readings += url.endswith("/jwks")
        await self.slow.wait()
        if self.down:
            raise OutboundFailed("down")
        if not url.endswith("/jwks"):
            return json.dumps(self.document).encode()
        published = {"keys": [key.as_dict(private=False) for key in self.keys]}
        return json.dumps(self.jwks if self.jwks is not None else published).encode()

    def issuer_keys(self) -> IssuerKeys:
        return IssuerKeys(self.get, lambda: self.now)


async def test_a_flood_of_unknown_ids_is_one_reading_a_minute() -> None:
    web = Web(ec_key())
    keys = web.issuer_keys()
    for number in range(3_000):
        with pytest.raises(TokenRefused):
            await keys.find(ISSUER, f"unknown-{number}")
        web.now += 0.1
    assert web.readings == 300 / PAUSE_SECONDS
    assert await keys.find(ISSUER, web.keys[0].kid)


async def test_many_at_once_wait_for_one_reading() -> None:
    web = Web(ec_key())
    keys = web.issuer_keys()
    web.slow.clear()
    waiting = [asyncio.create_task(keys.find(ISSUER, web.keys[0].kid)) for _ in range(50)]
    await asyncio.sleep(0.01)
    web.slow.set()
    assert all([await each for each in waiting])
    assert web.readings == 1


async def test_who_waits_and_leaves_takes_the_reading_from_nobody() -> None:
    web = Web(ec_key())
    keys = web.issuer_keys()
    web.slow.clear()
    first = asyncio.create_task(keys.find(ISSUER, web.keys[0].kid))
    second = asyncio.create_task(keys.find(ISSUER, web.keys[0].kid))
    await asyncio.sleep(0.01)
    first.cancel()
    web.slow.set()
    assert await second
    assert web.readings == 1


async def test_a_new_key_is_found_and_a_withdrawn_one_goes() -> None:
    old, new = ec_key(), ec_key()
    web = Web(old)
    keys = web.issuer_keys()
    assert await keys.find(ISSUER, old.kid)
    web.keys = [new]
    web.now += PAUSE_SECONDS
    assert await keys.find(ISSUER, new.kid)
    with pytest.raises(TokenRefused):
        await keys.find(ISSUER, old.kid)


async def test_a_withdrawn_key_goes_also_where_nobody_sends_another() -> None:
    old = ec_key()
    web = Web(old, ec_key())
    keys = web.issuer_keys()
    await keys.find(ISSUER, old.kid)
    web.keys.pop(0)
    web.now += REFRESH_SECONDS + 1
    assert await keys.find(ISSUER, old.kid)  # it starts the reading, and does not wait for it
    await asyncio.sleep(0.01)
    with pytest.raises(TokenRefused):
        await keys.find(ISSUER, old.kid)


async def test_known_keys_outlive_an_outage_of_a_day_and_no_longer() -> None:
    web = Web(ec_key())
    keys = web.issuer_keys()
    await keys.find(ISSUER, web.keys[0].kid)
    web.down = True
    for _ in range(23):
        web.now += 3_600
        assert await keys.find(ISSUER, web.keys[0].kid)
        await asyncio.sleep(0)
    web.now += OUTAGE_SECONDS
    with pytest.raises(Unavailable):
        await keys.find(ISSUER, web.keys[0].kid)


async def test_an_issuer_that_never_answered_is_asked_every_few_seconds() -> None:
    web = Web(ec_key())
    keys = web.issuer_keys()
    web.down = True
    for _ in range(100):
        with pytest.raises(Unavailable):
            await keys.find(ISSUER, "x")
        web.now += 0.1
    web.down = False
    web.now += 5
    assert await keys.find(ISSUER, web.keys[0].kid)


DOCUMENTS: list[Any] = [
    [],
    "text",
    None,
    {},
    {"issuer": ISSUER},
    {"issuer": ISSUER, "jwks_uri": 7},
    {"issuer": "https://evil.example.com", "jwks_uri": f"{ISSUER}/jwks"},
    {"issuer": ISSUER + "/", "jwks_uri": f"{ISSUER}/jwks"},
]


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_a_discovery_document_that_is_none(document: Any) -> None:
    web = Web(ec_key())
    web.document = document
    with pytest.raises(Unavailable):
        await web.issuer_keys().find(ISSUER, web.keys[0].kid)


SETS: list[Any] = [
    [],
    "text",
    None,
    {},
    {"keys": []},
    {"keys": {}},
    {"keys": [7, None, "x", []]},
    {"keys": [{"kty": "RSA"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, {"kty": "?"}]},
    {"keys": [OctKey.generate_key(256, {"kid": "x"}).as_dict(private=True)]},
    {"keys": [rsa_key(1024).as_dict(private=False)]},
    {"keys": [{**ec_key().as_dict(private=False), "use": "enc"}]},
    {"keys": [ec_key().as_dict(private=False)] * 65},
]


@pytest.mark.parametrize("jwks", SETS)
async def test_a_set_of_keys_that_is_none(jwks: Any) -> None:
    web = Web(ec_key())
    keys = web.issuer_keys()
    await keys.find(ISSUER, web.keys[0].kid)
    web.jwks = jwks if jwks is not None else "null"
    web.now += PAUSE_SECONDS
    with pytest.raises(TokenRefused):
        await keys.find(ISSUER, "another")
    assert await keys.find(ISSUER, web.keys[0].kid), "what was known stays"


async def test_what_is_of_no_use_in_a_set_spoils_nothing() -> None:
    good, private = ed_key(), ec_key()
    web = Web()
    web.jwks = {"keys": [{"kty": "AKP", "kid": "pq"}, 7, good.as_dict(private=False), private.as_dict(private=True)]}
    keys = web.issuer_keys()
    assert [key.kid for key in await keys.find(ISSUER, good.kid)] == [good.kid]
    [published] = await keys.find(ISSUER, private.kid)
    assert not published.is_private


async def test_issuers_that_are_forgotten() -> None:
    web = Web(ec_key())
    keys = web.issuer_keys()
    for number in range(2_100):
        with pytest.raises(Unavailable):
            await keys.find(f"{ISSUER}/{number}", "x")
    assert keys.remembered == 2_000
