"""An OpenID Connect issuer for tests: publishes what keys it is told to, signs what it is told to."""

import json
import time
import uuid
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.registry import HeaderParameter

from crm_testkit.stand_in import Asked, Reply, StandIn, running_stand_in

DISCOVERY = "/.well-known/openid-configuration"


def ec_key(curve: str = "P-256") -> ECKey:
    return ECKey.generate_key(curve, {"kid": uuid.uuid4().hex, "use": "sig"})


def ed_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": uuid.uuid4().hex, "use": "sig"})


def rsa_key(bits: int = 2048) -> RSAKey:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # as in `token`
        return RSAKey.generate_key(bits, {"kid": uuid.uuid4().hex, "use": "sig"})


class Issuer:
    """One issuer at a stand-in, by a path of its own. `keys` are published; the last one signs."""

    def __init__(self, stand_in: StandIn) -> None:
        self.path = f"/{uuid.uuid4().hex}"
        self.url = stand_in.url + self.path
        self.keys: list[Key] = [ec_key()]
        self.jwks: object = None
        """Published instead of `keys`, where it is set."""
        self.reply: Reply | None = None
        """Answered to everything, where it is set."""
        self._stand_in = stand_in

    @property
    def readings(self) -> int:
        """How often the keys were asked for."""
        return sum(asked.target == f"{self.path}/jwks" for asked in self._stand_in.asked)

    @property
    def asked(self) -> int:
        return sum(asked.target.startswith(self.path) for asked in self._stand_in.asked)

    def answer(self, asked: Asked) -> Reply:
        if self.reply is not None:
            return self.reply
        if asked.target == self.path + DISCOVERY:
            return _json({"issuer": self.url, "jwks_uri": f"{self.url}/jwks"})
        if asked.target == f"{self.path}/jwks":
            published = {"keys": [key.as_dict(private=False) for key in self.keys]}
            return _json(self.jwks if self.jwks is not None else published)
        return Reply(404)

    def claims(self, **changed: object) -> dict[str, Any]:
        """A token's usual claims; None leaves one out."""
        now = int(time.time())
        usual: dict[str, object] = {
            "iss": self.url,
            "aud": "relata-tests",
            "sub": "person-1",
            "iat": now,
            "exp": now + 300,
            "name": "陈静",
            "email": "jing@example.com",
            "email_verified": True,
        }
        return {name: value for name, value in {**usual, **changed}.items() if value is not None}

    def token(self, *, header: dict[str, Any] | None = None, key: Key | None = None, **claims: object) -> str:
        """Signed by `key`, by default the newest; `header` replaces members of the usual one, None leaves one out."""
        key = key or self.keys[-1]
        algorithm = "Ed25519" if isinstance(key, OKPKey) else "ES256" if isinstance(key, ECKey) else "RS256"
        usual: dict[str, Any] = {"alg": algorithm, "typ": "at+jwt", "kid": key.kid}
        made = {name: value for name, value in {**usual, **(header or {})}.items() if value is not None}
        understood = {"exp": HeaderParameter("For tokens that call it critical", "int")}
        registry = jws.JWSRegistry(understood, algorithms=[made["alg"]], strict_check_header=False)
        registry.max_header_length = 100_000
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # what is weak is made on purpose
            return jwt.encode(made, self.claims(**claims), key, registry=registry, default_type=None)


class Issuers:
    """Any number of issuers at one address."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self._all: dict[str, Issuer] = {}
        stand_in.answer = self._answer

    def new(self) -> Issuer:
        issuer = Issuer(self._stand_in)
        self._all[issuer.path] = issuer
        return issuer

    def _answer(self, asked: Asked) -> Reply:
        issuer = self._all.get("/" + asked.target.split("/")[1])
        return issuer.answer(asked) if issuer else Reply(404)


@asynccontextmanager
async def running_issuers() -> AsyncIterator[Issuers]:
    async with running_stand_in() as stand_in:
        yield Issuers(stand_in)


def _json(document: object) -> Reply:
    return Reply(body=json.dumps(document).encode())
