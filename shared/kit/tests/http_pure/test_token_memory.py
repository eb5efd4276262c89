"""Tokens that were made or verified are remembered until they are over, and no longer."""

import asyncio
import time

from crm_kit.http.principal import Principal, TokenMint, TokenVerifier
from fastapi import Request
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey


def _request(token: str) -> Request:
    return Request({"type": "http", "headers": [(b"authorization", f"Bearer {token}".encode())]})


async def test_tokens_that_are_over_are_forgotten() -> None:
    key = OKPKey.generate_key("Ed25519", {"kid": "test"})
    mint = TokenMint(key)
    verifier = TokenVerifier(KeySet.import_key_set(mint.public_jwks()))  # type: ignore[arg-type]  # a JWKS
    lasting = mint.token(Principal("key_0", "tenant_1"))
    claims = jwt.decode(lasting, key, algorithms=["Ed25519"]).claims
    soon = int(time.time()) + 2
    for number in range(50):
        brief = {**claims, "sub": f"key_{number}", "exp": soon}
        token = jwt.encode({"alg": "Ed25519", "typ": "at+jwt", "kid": "test"}, brief, key, algorithms=["Ed25519"])
        await verifier.authenticate(_request(token))
    assert verifier.remembered == 50
    while time.time() <= soon:
        await asyncio.sleep(0.1)
    assert (await verifier.authenticate(_request(lasting))).subject == "key_0"
    assert verifier.remembered == 1


def test_tokens_of_those_who_came_once_are_forgotten() -> None:
    now = 1_000_000.0
    mint = TokenMint(OKPKey.generate_key("Ed25519", {"kid": "test"}), lambda: now)
    often = Principal("key_often", "tenant_1")
    first = mint.token(often)
    for number in range(50):
        mint.token(Principal(f"key_{number}", "tenant_1"))
    assert mint.remembered == 51
    now += 29
    assert mint.token(often) == first
    now += 2
    assert mint.token(often) != first, "it would be over too soon"
    now += 30
    mint.token(Principal("key_late", "tenant_1"))
    assert mint.remembered == 2
