"""Input that has broken others: each has a clear refusal, none is an internal error."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from crm_testkit.conformance.sample import Json, ResourceSuite, Subject, member, offering, with_member

_JSON = {"content-type": "application/json"}


def _text(subject: Subject, literal: bytes) -> bytes:
    """A good body in which the text is replaced by this, byte for byte."""
    return json.dumps(subject.with_text("@@")).encode().replace(b'"@@"', literal)


async def _in_pieces(content: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


BODIES = {
    "NUL, raw": (b'"a\x00b"', 400),
    "NUL, escaped": (b'"a\\u0000b"', 422),
    "lone surrogate": (b'"\\ud800"', 422),
    "surrogates in the wrong order": (b'"\\udc00\\ud800"', 422),
    "surrogate as CESU-8": (b'"\xed\xa0\x80"', 400),
    "invalid UTF-8": (b'"\xff\xfe"', 400),
    "overlong UTF-8": (b'"\xc0\xaf"', 400),
    "UTF-16": ('"a"'.encode("utf-16"), 400),
    "NaN": (b"NaN", 400),
    "Infinity": (b"-Infinity", 400),
    "1e999": (b"1e999", 422),
    "2^63": (b"9223372036854775808", 422),
    "a million digits": (b"1" * 500_000, 422),
    "depth 5,000": (b"[" * 5000 + b"]" * 5000, 422),
    "depth 5,000, open": (b'{"a":' * 5000, 422),
    "single quotes": (b"'a'", 400),
    "a comment": (b'"a" /* b */', 400),
    "a control character": (b'"a\nb"', 400),
    "an object": (b'{"a": 1}', 422),
    "a list": (b'["a"]', 422),
    "a number": (b"7", 422),
    "true": (b"true", 422),
    "endless": (b'"' + b"x" * 900_000 + b'"', 422),
}
WHOLE = {
    "byte order mark": (b"\xef\xbb\xbf{}", 400),
    "empty": (b"", 422),
    "white space": (b"  \n", 400),
    "null": (b"null", 422),
    "a text": (b'"text"', 422),
    "a number": (b"7", 422),
    "a list": (b"[]", 422),
    "an empty object in a list": (b"[{}]", 422),
    "two values": (b"{} {}", 400),
    "unclosed": (b"{", 400),
    "trailing comma": (b'{"a": 1,}', 400),
    "100,001 values": (b'{"custom": {"a": [' + b",".join([b"[" + b"1," * 4999 + b"1]"] * 21) + b"]}}", 422),
}


class HardeningRules(ResourceSuite):
    @pytest.mark.parametrize("case", BODIES)
    @offering("create")
    async def test_text_that_cannot_be_is_refused(self, subject: Subject, case: str) -> None:
        literal, status = BODIES[case]
        answer = await subject.client.post(subject.path, content=_text(subject, literal), headers=_JSON)
        assert answer.status_code == status, answer.text
        if status == 422 and "depth" not in case:
            pointer = "/" + subject.sample.text.replace(".", "/")
            assert any(error["pointer"].startswith(pointer) for error in answer.json()["errors"]), answer.text

    @pytest.mark.parametrize("case", WHOLE)
    @offering("create")
    async def test_a_body_that_is_none_is_refused(self, subject: Subject, case: str) -> None:
        content, status = WHOLE[case]
        answer = await subject.client.post(subject.path, content=content, headers=_JSON)
        assert answer.status_code == status, answer.text

    @offering("create", "patch")
    async def test_the_same_goes_for_patches(self, subject: Subject) -> None:
        entity = await subject.create()
        for case, (literal, status) in BODIES.items():
            if case in ("an object", "a list", "a number", "true"):
                continue  # a body of its own kind, which an open member may hold
            patch = json.dumps(with_member({}, subject.sample.text, "@@")).encode().replace(b'"@@"', literal)
            answer = await subject.client.patch(subject.at(entity), content=patch, headers=_JSON)
            assert answer.status_code == status, (case, answer.text)
        assert await subject.tenant.read(subject.at(entity)) == entity

    @offering("create")
    async def test_a_name_given_twice_is_refused(self, subject: Subject) -> None:
        content = json.dumps(subject.with_text("once")).encode()
        outer = subject.sample.text.partition(".")[0]
        twice = content[:-1] + f', "{outer}": "again"}}'.encode()
        answer = await subject.client.post(subject.path, content=twice, headers=_JSON)
        assert answer.status_code == 422
        assert [error["code"] for error in answer.json()["errors"]] == ["duplicate_key"]

    @offering("create")
    async def test_an_unknown_member_is_refused_with_its_place(self, subject: Subject) -> None:
        answer = await subject.client.post(subject.path, json={**subject.body(), "no_such/~member": 1})
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/no_such~1~0member"]
        assert [error["code"] for error in answer.json()["errors"]] == ["unknown_field"]

    @offering("create", integer=True)
    async def test_only_an_integer_is_an_integer(self, subject: Subject) -> None:
        name = subject.sample.integer
        assert name is not None
        for value in ("7", "", 7.5, True, [7], {"a": 7}, 2**62, -(2**62), 1e300):
            answer = await subject.client.post(subject.path, json=with_member(subject.body(), name, value))
            assert answer.status_code == 422, value
            assert answer.json()["errors"][0]["pointer"] == "/" + name.replace(".", "/")

    @offering("create")
    async def test_other_content_types_are_refused(self, subject: Subject) -> None:
        content = json.dumps(subject.body()).encode()
        for media_type in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonp", ""):
            headers = {"content-type": media_type} if media_type else {}
            answer = await subject.client.post(subject.path, content=content, headers=headers)
            assert answer.status_code == 415, media_type
        headers = {"content-type": "Application/JSON; charset=UTF-8"}
        assert (await subject.client.post(subject.path, content=content, headers=headers)).status_code == 201

    @pytest.mark.parametrize("declared", [True, False], ids=["with content-length", "chunked"])
    @offering("create", "list")
    async def test_a_body_of_two_megabytes_is_too_large(self, subject: Subject, declared: bool) -> None:
        content = json.dumps(subject.with_text("x" * 2 * 1024 * 1024)).encode()
        headers = {**_JSON, "content-length": str(len(content))} if declared else _JSON
        answer = await subject.client.post(subject.path, content=_in_pieces(content), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert await subject.count() == 0

    @offering("create")
    async def test_a_body_may_come_slowly(self, subject: Subject) -> None:
        answer = await _send_slowly(subject, subject.body())
        assert answer.startswith(b"HTTP/1.1 201"), answer[:200]

    @offering("create", "get", counter=True)
    async def test_integers_are_exact_up_to_the_largest_that_all_clients_share(self, subject: Subject) -> None:
        path = subject.sample.counter
        assert path is not None
        largest = 2**53 - 1
        entity = await subject.create(with_member(subject.body(), path, largest))
        assert member(await subject.tenant.read(subject.at(entity)), path) == largest


async def _send_slowly(subject: Subject, body: Json) -> bytes:
    """The body in chunks of a few bytes, written by hand."""
    parts = urlsplit(subject.service.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        head = (
            f"POST {subject.path} HTTP/1.1\r\nhost: {parts.netloc}\r\nconnection: close\r\n"
            f"content-type: application/json\r\ntransfer-encoding: chunked\r\n"
            f"authorization: {subject.client.headers['authorization']}\r\n\r\n"
        )
        writer.write(head.encode())
        content = json.dumps(body).encode()
        for start in range(0, len(content), 16):
            piece = content[start : start + 16]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0.005)
        writer.write(b"0\r\n\r\n")
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
