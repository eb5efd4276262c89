"""A creation on the fast path is told what the ordinary one would tell it, whatever is wrong with it."""

from typing import Any

import httpx
import pytest
from crm_testkit.conformance.entities import told
from crm_testkit.service import ServiceUnderTest

_BODIES = [
    b"[]",
    b'"x"',
    b"null",
    b"true",
    b"{}",
    b"{",
    b"\xff",
    b'{"full_name": 1, "colour": "red"}',
    b'{"full_name": "a", "full_name": "b"}',
    b'{"full_name": "a\\u0000"}',
    b'{"emails": [{"address": "x"}], "phones": [{"number": "1"}]}',
    b'{"phones": [{"number": "123"}]}',
    b'{"full_name": "a", "account_id": "account_01jd3zq8w9e2vbx7k5m4n6p8qr"}',
    b'{"full_name": "a", "shares": [{"user_id": 1}]}',
    '{"full_name": "欧阳晓梅", "external_ids": {"shop": "1"}}'.encode(),
]
_HEADERS: list[dict[str, str]] = [
    {},
    {"Idempotency-Key": "a,b"},
    {"Idempotency-Key": "k-1"},
    {"Accept-Language": "zh-CN"},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json; charset=utf-8"},
]
_OF_ITS_OWN = ("id", "created_at", "updated_at", "location", "consistency-token", "contact_id", "detail")


def _alike(answer: httpx.Response) -> Any:
    status, headers, body = told(answer)
    parts = [body if isinstance(body, dict) else {}, headers]
    if status in (201, 409):  # what is made, or in the way, has an id of its own
        parts = [{name: value for name, value in part.items() if name not in _OF_ITS_OWN} for part in parts]
    return status, parts


@pytest.mark.parametrize("headers", _HEADERS, ids=str)
async def test_a_creation_is_told_the_same(service: ServiceUnderTest, headers: dict[str, str]) -> None:
    """Two tenants, one on each path: what was sent before counts for both alike."""
    fast, ordinary = service.tenant().client, service.tenant().client
    for body in _BODIES:
        sent = {"Content-Type": "application/json", **headers}
        one = await fast.post("/v1/contacts", content=body, headers=sent)
        other = await ordinary.post("/v1/contacts", content=body, headers={**sent, "Range": "bytes=0-"})
        assert _alike(one) == _alike(other), body


async def test_a_creation_takes_its_permission(service: ServiceUnderTest) -> None:
    reader = service.tenant(scopes=frozenset({"read"})).client
    answers = [
        await reader.post("/v1/contacts", json={"full_name": "a"}, headers=headers)
        for headers in ({}, {"Range": "bytes=0-"})
    ]
    assert _alike(answers[0]) == _alike(answers[1])
    assert answers[0].json()["missing_permission"] == "contacts:create"
