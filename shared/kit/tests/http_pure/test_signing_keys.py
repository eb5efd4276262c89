"""The gateway's signing key is replaced without a gap: services that know both keys take tokens of either."""

import json
from pathlib import Path

import pytest
from crm_kit.app import internal_authenticator
from crm_kit.errors import Unauthenticated
from crm_kit.http.principal import Principal, TokenMint
from fastapi import Request
from joserfc.jwk import OKPKey


def _request(token: str) -> Request:
    return Request({"type": "http", "headers": [(b"authorization", f"Bearer {token}".encode())]})


async def test_old_and_new_key_count_at_once_and_the_old_no_more_once_it_is_taken_out(tmp_path: Path) -> None:
    old, new = (TokenMint(OKPKey.generate_key("Ed25519", {"kid": kid})) for kid in ("2026-1", "2026-2"))
    file, caller = tmp_path / "jwks.json", Principal("key_1", "tenant_1")

    def knowing(*mints: TokenMint) -> None:
        keys = [key for mint in mints for key in mint.public_jwks()["keys"]]  # type: ignore[attr-defined]  # a list
        file.write_text(json.dumps({"keys": keys}))

    knowing(old, new)
    both = internal_authenticator(str(file))
    for mint in (old, new):
        assert (await both.authenticate(_request(mint.token(caller)))).subject == "key_1"
    knowing(new)
    after = internal_authenticator(str(file))
    assert (await after.authenticate(_request(new.token(caller)))).subject == "key_1"
    with pytest.raises(Unauthenticated):
        await after.authenticate(_request(old.token(caller)))
