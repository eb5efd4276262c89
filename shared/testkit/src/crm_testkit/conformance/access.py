"""Who may do what, and how a refusal looks."""

import base64
import hmac
import json
import time

import httpx
import pytest
from crm_kit.http.principal import Principal, TokenMint, scope_of
from joserfc.jwk import OKPKey

from crm_testkit.conformance.sample import ResourceSuite, Subject, offering
from crm_testkit.service import ALL_SCOPES, ServiceUnderTest


def _encoded(header: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()


def _bad_credentials(service: ServiceUnderTest) -> dict[str, str | None]:
    good = service.token()
    header, payload, signature = good.split(".")
    principal = Principal("key_test", "tenant_x", scopes=frozenset({"read", "write"}))
    stranger = TokenMint(OKPKey.generate_key("Ed25519", {"kid": "test"})).token(principal)
    # The classic confusion: the public key, which anybody has, taken for a shared secret.
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'test'})}.{payload}"
    digest = hmac.digest(service.key.as_pem(private=False), signed.encode(), "sha256")
    confused = f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
    return {
        "none": None,
        "empty": "Bearer ",
        "other scheme": f"Basic {good}",
        "no token": "Bearer not-a-token",
        "not ASCII": "Bearer \u00e9\u00e9",
        "expired": f"Bearer {service.token(exp=int(time.time()) - 60)}",
        "without expiry": f"Bearer {service.token(exp=None)}",
        "without subject": f"Bearer {service.token(sub=None)}",
        "other audience": f"Bearer {service.token(aud='somebody-else')}",
        "other issuer": f"Bearer {service.token(iss='somebody-else')}",
        "foreign key": f"Bearer {stranger}",
        "algorithm none": f"Bearer {_encoded({'alg': 'none', 'typ': 'at+jwt'})}.{payload}.",
        "shared secret": f"Bearer {confused}",
        "without signature": f"Bearer {header}.{payload}.",
        "changed payload": f"Bearer {header}.{service.token(sub='admin').split('.')[1]}.{signature}",
        "garbage behind": f"Bearer {good}.x",
    }


class AccessRules(ResourceSuite):
    @offering("create", "list")
    async def test_without_a_valid_token_nothing_is_told_and_nothing_done(self, subject: Subject) -> None:
        for case, authorization in _bad_credentials(subject.service).items():
            client = subject.service.anonymous()
            headers = {} if authorization is None else {b"Authorization": authorization.encode()}
            answers = [
                await client.get(subject.path, headers=headers),
                await client.post(subject.path, json=subject.body(), headers=headers),
                await client.get(subject.at("x_01jd3zq8w9e2vbx7k5m4n6p8qr"), headers=headers),
            ]
            for answer in answers:
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), case
                assert answer.headers["www-authenticate"].startswith("Bearer"), case

    async def test_the_good_token_that_those_are_made_from_is_accepted(self, subject: Subject) -> None:
        client = subject.service.anonymous()
        client.headers["Authorization"] = f"Bearer {subject.service.token(tenant=subject.tenant.id)}"
        assert (await client.get(subject.path)).status_code == 200

    async def test_a_credential_of_no_tenant_is_refused(self, subject: Subject) -> None:
        client = subject.service.anonymous()
        for tenant in (None, ""):
            headers = {"Authorization": f"Bearer {subject.service.token(tenant=tenant)}"}
            answer = await client.get(subject.path, headers=headers)
            assert (answer.status_code, answer.json()["missing_permission"]) == (403, "tenant")

    @offering("create", "list")
    async def test_a_missing_permission_is_named(self, subject: Subject) -> None:
        def holding(scopes: frozenset[str]) -> httpx.AsyncClient:
            return subject.service.tenant(subject.tenant.id, scopes=scopes).client

        reads, writes = subject.sample.scopes
        assert (await holding(frozenset({reads})).get(subject.path)).status_code == 200
        for method, action in (("POST", writes), ("GET", reads)):
            body = subject.body() if method == "POST" else None
            refused = await holding(ALL_SCOPES - {action} | {"others:read", "others:write"}).request(
                method, subject.path, json=body
            )
            missing = refused.json()["missing_permission"]
            assert (refused.status_code, scope_of(missing).rpartition(":")[2]) == (403, action)
            assert missing in refused.json()["detail"]
            allowed = await holding(ALL_SCOPES - {action} | {scope_of(missing)}).request(
                method, subject.path, json=body
            )
            assert allowed.status_code in (200, 201), allowed.text

    @offering("create", "patch", "delete")
    async def test_reading_alone_changes_nothing(self, subject: Subject) -> None:
        entity = await subject.create()
        reader = subject.service.tenant(subject.tenant.id, scopes=frozenset({"read"})).client
        assert (await reader.patch(subject.at(entity), json=subject.sample.patch)).status_code == 403
        assert (await reader.delete(subject.at(entity))).status_code == 403
        assert await subject.tenant.read(subject.at(entity)) == entity

    @offering("create", "get")
    async def test_errors_speak_the_readers_language(self, subject: Subject) -> None:
        async def refusals(language: str) -> list[httpx.Response]:
            client = subject.client
            client.headers["Accept-Language"] = language
            return [
                await subject.service.anonymous().get(subject.path, headers={"Accept-Language": language}),
                await client.get(subject.at("x_01jd3zq8w9e2vbx7k5m4n6p8qr")),
                await client.post(subject.path, json={"no_such_member": 1}),
                await client.post(subject.path, content=b"{", headers={"content-type": "application/json"}),
                await client.post(subject.path, content=b"x", headers={"content-type": "text/plain"}),
                await client.put(subject.path, json={}),
                await client.get(subject.path, params={"limit": "none"}),
            ]

        english = await refusals("fr, en;q=0.9, zh;q=0.1")
        chinese = await refusals("zh-Hans-CN,zh;q=0.9,en;q=0.8")
        assert [answer.status_code for answer in english] == [401, 404, 422, 400, 415, 405, 422]
        for ours, theirs in zip(english, chinese, strict=True):
            assert (ours.headers["content-language"], theirs.headers["content-language"]) == ("en", "zh-CN")
            assert (ours.json()["title"].isascii(), theirs.json()["title"].isascii()) == (True, False)
            assert ours.json()["code"] == theirs.json()["code"]
            assert "accept-language" in ours.headers["vary"].lower()
        for answer in chinese[2:3]:
            assert not any(error["detail"].isascii() for error in answer.json()["errors"])

    @pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing-here", "/v1/%00", "/v1//"])
    async def test_an_unknown_address_is_a_problem_too(self, service: ServiceUnderTest, path: str) -> None:
        assert (await service.tenant().client.get(path)).status_code == 404
