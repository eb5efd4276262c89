"""Tokens that are not what they claim to be: each is refused, the same way, and costs its issuer nothing."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from crm_testkit.door import Door, Keyholder
from crm_testkit.issuer import Issuer, Issuers, ec_key, ed_key, rsa_key

NOW = int(time.time())
DEEP = b'{"a":' * 500 + b"1" + b"}" * 500


def _encoded(document: object) -> str:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _unsigned(issuer: Issuer) -> str:
    return f"{_encoded({'alg': 'none', 'typ': 'at+jwt'})}.{_encoded(issuer.claims())}."


def _none_with_a_signature(issuer: Issuer) -> str:
    return f"{_encoded({'alg': 'none', 'typ': 'at+jwt', 'kid': issuer.keys[0].kid})}.{_encoded(issuer.claims())}.AAAA"


def _hmac(issuer: Issuer, secret: bytes) -> str:
    header = {"alg": "HS256", "typ": "at+jwt", "kid": issuer.keys[0].kid}
    signed = f"{_encoded(header)}.{_encoded(issuer.claims())}"
    return f"{signed}.{_encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def _hmac_of_pem(issuer: Issuer) -> str:
    return _hmac(issuer, issuer.keys[0].as_pem(private=False))  # type: ignore[union-attr]  # it is no OctKey


def _hmac_of_der(issuer: Issuer) -> str:
    return _hmac(issuer, issuer.keys[0].as_der(private=False))  # type: ignore[union-attr]  # it is no OctKey


def _hmac_of_jwk(issuer: Issuer) -> str:
    return _hmac(issuer, json.dumps(issuer.keys[0].as_dict(private=False)).encode())


def _embedded_key(issuer: Issuer) -> str:
    own = ec_key()
    return issuer.token(key=own, header={"jwk": own.as_dict(private=False), "kid": own.kid})


def _embedded_key_under_a_known_id(issuer: Issuer) -> str:
    own = ec_key()
    return issuer.token(key=own, header={"jwk": own.as_dict(private=False), "kid": issuer.keys[0].kid})


def _stranger_under_a_known_id(issuer: Issuer) -> str:
    return issuer.token(key=ec_key(), header={"kid": issuer.keys[0].kid})


def _wrong_curve(issuer: Issuer) -> str:
    """A key of P-384 that is published, and an ES384 signature that calls itself ES256."""
    key = ec_key("P-384")
    issuer.keys.insert(0, key)
    signed = issuer.token(key=key, header={"alg": "ES384"})
    header = json.loads(base64.urlsafe_b64decode(signed.split(".")[0] + "=="))
    return ".".join([_encoded({**header, "alg": "ES256"}), *signed.split(".")[1:]])


def _changed_claims(issuer: Issuer) -> str:
    head, _, signature = issuer.token().split(".")
    return f"{head}.{_encoded(issuer.claims(sub='somebody-else'))}.{signature}"


def _claims_twice(issuer: Issuer) -> str:
    text = json.dumps(issuer.claims())[:-1] + ', "sub": "somebody-else"}'
    head, _, signature = issuer.token().split(".")
    return f"{head}.{_encoded(text.encode())}.{signature}"


def _short_rsa(issuer: Issuer) -> str:
    key = rsa_key(1024)
    issuer.keys.append(key)
    return issuer.token(key=key)


def _for_encryption(issuer: Issuer) -> str:
    key = ec_key()
    issuer.keys.insert(0, key)
    token = issuer.token(key=key)
    issuer.jwks = {"keys": [{**key.as_dict(private=False), "use": "enc"}, issuer.keys[-1].as_dict(private=False)]}
    return token


def _without_id_among_two(issuer: Issuer) -> str:
    issuer.keys.append(ec_key())
    return issuer.token(header={"kid": None})


BROKEN: dict[str, Callable[[Issuer], str]] = {
    "expired": lambda i: i.token(exp=NOW - 120, iat=NOW - 600),
    "expired beyond the leeway": lambda i: i.token(exp=int(time.time()) - 31),
    "without expiry": lambda i: i.token(exp=None),
    "expiry as a text": lambda i: i.token(exp="tomorrow"),
    "not yet valid": lambda i: i.token(nbf=NOW + 3600),
    "issued in the future": lambda i: i.token(iat=NOW + 3600),
    "another audience": lambda i: i.token(aud="somebody-else"),
    "no audience": lambda i: i.token(aud=None),
    "an audience that is an object": lambda i: i.token(aud={"relata-tests": True}),
    "issued to another party": lambda i: i.token(aud=["relata-tests", "other"], azp="other"),
    "another issuer": lambda i: i.token(iss=i.url + "/"),
    "no issuer": lambda i: i.token(iss=None),
    "no subject": lambda i: i.token(sub=None),
    "a subject that is a number": lambda i: i.token(sub=7),
    "a subject beyond 255": lambda i: i.token(sub="x" * 256),
    "alg none": _unsigned,
    "alg none with a signature": _none_with_a_signature,
    "HS256 with the public key as PEM": _hmac_of_pem,
    "HS256 with the public key as DER": _hmac_of_der,
    "HS256 with the public key as JWK": _hmac_of_jwk,
    "an embedded key": _embedded_key,
    "an embedded key under a known id": _embedded_key_under_a_known_id,
    "an embedded key beside a good signature": lambda i: i.token(header={"jwk": i.keys[0].as_dict(private=False)}),
    "a place of keys of its own": lambda i: i.token(header={"jku": i.url + "/jwks"}),
    "a certificate's place of its own": lambda i: i.token(header={"x5u": i.url + "/x5u"}),
    "somebody else's key under a known id": _stranger_under_a_known_id,
    "critical headers": lambda i: i.token(header={"crit": ["exp"], "exp": NOW + 300}),
    "an unencoded payload": lambda i: i.token(header={"b64": True}),
    "an algorithm that is not on the list": lambda i: i.token(
        key=_published(i, ec_key("P-384")), header={"alg": "ES384"}
    ),
    "a curve that is not the algorithm's": _wrong_curve,
    "an RSA key of 1024 bits": _short_rsa,
    "a key for encryption": _for_encryption,
    "an unknown key": lambda i: i.token(key=ec_key()),
    "no key id, of two keys": _without_id_among_two,
    "an ID token where access tokens are taken": lambda i: i.token(header={"typ": "JWT"}),
    "without type": lambda i: i.token(header={"typ": None}),
    "a logout token": lambda i: i.token(header={"typ": "logout+jwt"}),
    "changed claims": _changed_claims,
    "a claim that stands twice": _claims_twice,
    "a signature of nothing": lambda i: i.token().rpartition(".")[0] + ".",
    "a signature in the wrong alphabet": lambda i: i.token()[:-3] + "+/=",
    "a part too many": lambda i: i.token() + ".AAAA",
    "a part too few": lambda i: i.token().rpartition(".")[0],
    "17,000 bytes": lambda i: i.token(padding="x" * 13_000),
    "a header that is no object": lambda i: f"{_encoded(['ES256'])}.{_encoded(i.claims())}.AAAA",
    "a header nested deep": lambda i: f"{_encoded(DEEP)}.{_encoded(i.claims())}.AAAA",
}


def _published(issuer: Issuer, key: Any) -> Any:
    issuer.keys.append(key)
    return key


@pytest.mark.parametrize("case", BROKEN)
async def test_what_is_broken_is_refused(
    door: Door, tenant: Keyholder, issuer: Issuer, register: Any, case: str
) -> None:
    await register()
    token = BROKEN[case](issuer)
    response = await door.client(token).get("/v1/contacts")
    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated"), case
    assert response.headers["www-authenticate"] == 'Bearer realm="relata", error="invalid_token"'
    assert (await tenant.client.get("/v1/users")).json()["data"] == []
    assert issuer.readings <= 1


GOOD: dict[str, Callable[[Issuer], str]] = {
    "as usual": lambda i: i.token(),
    "Ed25519": lambda i: i.token(key=_published(i, ed_key())),
    "EdDSA": lambda i: i.token(key=_published(i, ed_key()), header={"alg": "EdDSA"}),
    "RS256": lambda i: i.token(key=_published(i, rsa_key())),
    "PS256": lambda i: i.token(key=_published(i, rsa_key()), header={"alg": "PS256"}),
    "the full media type": lambda i: i.token(header={"typ": "application/AT+JWT"}),
    "one audience of several": lambda i: i.token(aud=["other", "relata-tests"], azp="relata-tests"),
    "without a key id, of one key": lambda i: i.token(header={"kid": None}),
    "within the leeway": lambda i: i.token(exp=int(time.time()) - 5),
    "with headers that mean nothing here": lambda i: i.token(header={"x5t": "AAAA", "nonce": "n"}),
    "two keys of one id, either": lambda i: i.token(key=_published(i, _twin(i))),
}


def _twin(issuer: Issuer) -> Any:
    key = ec_key()
    return type(key).import_key({**key.as_dict(private=True), "kid": issuer.keys[0].kid})


@pytest.mark.parametrize("case", GOOD)
async def test_what_is_well_is_taken(door: Door, issuer: Issuer, register: Any, case: str) -> None:
    """The counterpart: what is refused above is refused for its fault alone."""
    await register()
    response = await door.client(GOOD[case](issuer)).get("/v1/contacts")
    assert response.status_code == 200, (case, response.text)


async def test_id_tokens_where_the_provider_is_set_so(door: Door, issuer: Issuer, register: Any) -> None:
    await register(token_types=["JWT"])
    assert (await door.client(issuer.token(header={"typ": "JWT"})).get("/v1/contacts")).status_code == 200
    assert (await door.client(issuer.token(header={"typ": None})).get("/v1/contacts")).status_code == 200
    assert (await door.client(issuer.token()).get("/v1/contacts")).status_code == 401


async def test_a_token_of_another_tenants_provider_opens_that_tenant_alone(
    door: Door, tenant: Keyholder, issuer: Issuer, issuers: Issuers, register: Any
) -> None:
    other, own = await door.tenant("Other"), issuers.new()
    await register(audiences=["one"])
    await register(other, issuer=own.url, audiences=["one"])
    assert (await door.client(own.token(aud="one")).get("/v1/users")).json()["data"] != []
    assert (await tenant.client.get("/v1/users")).json()["data"] == []
    # Signed by the other tenant's issuer, in the name of this one's.
    assert (await door.client(own.token(iss=issuer.url, aud="one")).get("/v1/users")).status_code == 401


async def test_a_flood_of_unknown_keys_costs_the_issuer_one_reading_a_pause(
    door: Door, issuer: Issuer, register: Any
) -> None:
    await register()
    started = time.monotonic()
    for number in range(60):
        answer = await door.client(issuer.token(key=ec_key(), sub=f"person-{number}")).get("/v1/contacts")
        assert answer.status_code == 401
    assert issuer.readings <= 2 + (time.monotonic() - started) / 0.5
    issuer.keys.append(ec_key())
    assert issuer.readings < 60


async def test_a_claim_that_is_required(door: Door, issuer: Issuer, register: Any) -> None:
    await register(required_claims={"tid": "ours"})
    assert (await door.client(issuer.token(tid="theirs")).get("/v1/contacts")).status_code == 401
    assert (await door.client(issuer.token()).get("/v1/contacts")).status_code == 401
    assert (await door.client(issuer.token(tid="ours")).get("/v1/contacts")).status_code == 200
