"""Tokens that others signed (RFC 7515, 7519, 8725, 9068): what is read of one, and what must hold before it is believed.

Nothing in a token says how it is to be checked: the algorithms are the provider's as the tenant wrote them down, the keys
those that its issuer publishes. Pure.
"""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from crm_kit.http.json_body import parse_json
from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, OctKey, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = get_args(Algorithm)

TokenType = Literal["at+jwt", "JWT"]
"""As the header's `typ` says: an access token as RFC 9068 has it, or whatever calls itself JWT or nothing."""

MAX_TOKEN_BYTES: Final = 16_384
MAX_KEYS: Final = 64
MAX_ISSUER_LENGTH: Final = 300
_MAX_SUBJECT_LENGTH: Final = 255  # OpenID Connect Core §2
_MIN_RSA_BITS: Final = 2048
_SHAPE: Final = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_CURVES: Final[Mapping[str, str]] = {
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}
# They would change what is signed, or name the key to check it with.
_REFUSED_HEADERS: Final = frozenset({"crit", "b64", "jwk", "jku", "x5u"})


class TokenRefused(Exception):
    """Why a token is not believed: a word for the log."""


class SignatureRefused(TokenRefused):
    """By none of the keys that it could be signed with."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says of itself. Nothing of it is known to be true."""

    token: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def issuer(self) -> str:
        return str(self.claims["iss"])

    @property
    def key_id(self) -> str | None:
        key_id: str | None = self.header.get("kid")
        return key_id

    @property
    def audiences(self) -> frozenset[str]:
        return audiences_of(self.claims)


@dataclass(frozen=True, slots=True)
class Expected:
    """What must hold of a token."""

    issuer: str
    audiences: frozenset[str]
    algorithms: frozenset[str]
    token_types: frozenset[str]
    leeway_seconds: int
    required_claims: Mapping[str, str]


def looks_like_token(text: str) -> bool:
    return len(text) <= MAX_TOKEN_BYTES and _SHAPE.fullmatch(text) is not None


def read_unverified(token: str) -> Unverified:
    """Raises TokenRefused."""
    if not looks_like_token(token):
        raise TokenRefused("malformed")
    head, body, _ = token.split(".")
    header, claims = _json_object(head), _json_object(body)
    if not isinstance(header.get("alg"), str) or not isinstance(header.get("kid", ""), str):
        raise TokenRefused("malformed")
    for name, longest in (("iss", MAX_ISSUER_LENGTH), ("sub", _MAX_SUBJECT_LENGTH)):
        if not isinstance(claims.get(name), str) or not 1 <= len(claims[name]) <= longest:
            raise TokenRefused(name)
    return Unverified(token, header, claims)


def _json_object(segment: str) -> dict[str, Any]:
    """Strictly parsed: of a member that stands twice two readers could believe different ones."""
    try:
        found = parse_json(urlsafe_b64decode(segment.encode()))
    except ValueError as error:
        raise TokenRefused("malformed") from error
    if not isinstance(found, dict):
        raise TokenRefused("malformed")
    return found


def audiences_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """RFC 7519 §4.1.3: one text, or a list of them; nothing where it is neither."""
    given = claims.get("aud")
    texts = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    return frozenset(text for text in texts if isinstance(text, str))


def verify(seen: Unverified, keys: Sequence[Key], expected: Expected) -> None:
    """Raises TokenRefused unless one of `keys` signed the token and all holds that is expected of it."""
    _check_header(seen.header, expected)
    check_signature(seen.token, seen.header, keys, expected.algorithms)
    _check_claims(seen.claims, expected)


def _check_header(header: Mapping[str, Any], expected: Expected) -> None:
    if not _REFUSED_HEADERS.isdisjoint(header):
        raise TokenRefused("header_refused")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str):
        raise TokenRefused("malformed")
    # RFC 7515 §4.1.9: a media type, of which "application/" may be left out; it has no case.
    if kind.lower().removeprefix("application/") not in {each.lower() for each in expected.token_types}:
        raise TokenRefused("token_type")


def check_signature(token: str, header: Mapping[str, Any], keys: Sequence[Key], algorithms: frozenset[str]) -> None:
    """`keys` are those that may have signed it, by their id. Raises TokenRefused."""
    algorithm = header["alg"]
    if algorithm not in ALGORITHMS or algorithms.isdisjoint(_same(algorithm)):
        raise TokenRefused("algorithm")
    fitting = [key for key in keys if fits(key, algorithm)]
    if not fitting:
        raise TokenRefused("unknown_key")
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = registry.max_signature_length = MAX_TOKEN_BYTES
    with _without_warnings():
        for key in fitting:
            try:
                jws.deserialize_compact(token, key, registry=registry)
            except (JoseError, ValueError):
                continue
            return
    raise SignatureRefused("signature")


@contextmanager
def _without_warnings() -> Iterator[None]:
    """joserfc warns of short keys, which `fits` refuses, and of the name "EdDSA", which most issuers still write."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield


def fits(key: Key, algorithm: str) -> bool:
    """Whether the key is for this algorithm, by its type and curve, and by what the issuer says of it."""
    if key.get("use") not in (None, "sig") or key.get("alg") not in (None, *_same(algorithm)):
        return False
    if isinstance(key, RSAKey):
        return algorithm.startswith(("RS", "PS")) and key.public_key.key_size >= _MIN_RSA_BITS
    if isinstance(key, ECKey):
        return algorithm.startswith("ES") and key.get("crv") == _CURVES.get(algorithm)
    return isinstance(key, OKPKey) and key.get("crv") == _CURVES.get(algorithm)


def _same(algorithm: str) -> tuple[str, ...]:
    """Its names: the one of RFC 8037, and the one that RFC 9864 prefers."""
    return ("EdDSA", "Ed25519") if algorithm in ("EdDSA", "Ed25519") else (algorithm,)


def _check_claims(claims: Mapping[str, Any], expected: Expected) -> None:
    registry = jwt.JWTClaimsRegistry(
        leeway=expected.leeway_seconds,
        iss={"essential": True, "value": expected.issuer},
        exp={"essential": True},
        sub={"essential": True},
    )
    try:
        registry.validate(dict(claims))
    except JoseError as error:
        raise TokenRefused(getattr(error, "error", "claim")) from error
    if expected.audiences.isdisjoint(audiences_of(claims)):
        raise TokenRefused("audience")
    # OpenID Connect Core §3.1.3.7: whom the token was issued to, where it is for several.
    if len(audiences_of(claims)) > 1 and "azp" in claims and claims["azp"] not in expected.audiences:
        raise TokenRefused("authorized_party")
    if any(claims.get(name) != value for name, value in expected.required_claims.items()):
        raise TokenRefused("required_claim")


def import_keys(document: object) -> list[Key]:
    """The keys of a JWK set (RFC 7517 §5), without those that are of no use here.

    Raises ValueError where it is no set, or none of it can be used.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ValueError("it is no set of keys, or too large a one")
    found: list[Key] = []
    for each in listed:
        try:
            with _without_warnings():
                key = JWKRegistry.import_key({name: value for name, value in each.items() if name != "d"})
        except (JoseError, ValueError, TypeError, AttributeError, KeyError):
            continue
        # A secret that is published is none: whoever reads the set could sign with it.
        if not isinstance(key, OctKey) and any(fits(key, algorithm) for algorithm in ALGORITHMS):
            found.append(key)
    if not found:
        raise ValueError("it holds no key that can be used")
    return found
