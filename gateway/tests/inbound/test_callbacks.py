"""Callbacks of WeCom and DingTalk: the echo, messages, and whoever pretends."""

import base64
import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from crm_testkit.door import Keyholder
from gateway.inbound.callbacks import CallbackKey, InvalidCallback
from hypothesis import given
from hypothesis import strategies as st

Register = Any
AES_KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
KEY = CallbackKey("token123", AES_KEY, "wx5823bf96d3bd56c7")
CALLBACK = {"token": "token123", "encoding_aes_key": AES_KEY, "receive_id": "wx5823bf96d3bd56c7"}
EVENT = (
    "<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
    "<CreateTime>1403610513</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[add_external_contact]]></ChangeType>"
    "<ExternalUserID><![CDATA[woAJ2GCAAAXtWyujaWJHDDGi0mAAAA]]></ExternalUserID></xml>"
)


def query(key: CallbackKey, encrypted: str, *, at: float | None = None, signature: str | None = None) -> dict[str, str]:
    timestamp = str(int(at if at is not None else time.time()))
    return {
        "msg_signature": signature or key.signature(timestamp, "nonce1", encrypted),
        "timestamp": timestamp,
        "nonce": "nonce1",
    }


def test_the_vector_of_wecom_s_documents_opens() -> None:
    """Out of the documents of the encryption scheme: signature, and message within."""
    key = CallbackKey("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7")
    echo = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
    signature = "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"
    assert key.signature("1409659589", "263014780", echo) == signature
    assert key.opened(signature, "1409659589", "263014780", echo, now=1409659589.0) == b"1616140317555161061"


@given(st.binary(max_size=300))
def test_whatever_is_encrypted_opens_again(message: bytes) -> None:
    encrypted = KEY.encrypted(message)
    signature = KEY.signature("1700000000", "n", encrypted)
    assert KEY.opened(signature, "1700000000", "n", encrypted, now=1_700_000_100.0) == message


@given(st.binary(min_size=1, max_size=200), st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_what_is_altered_or_addressed_to_others_does_not_open(message: bytes, place: int, flip: int) -> None:
    raw = bytearray(base64.b64decode(KEY.encrypted(message)))
    raw[place % len(raw)] ^= flip
    altered = base64.b64encode(raw).decode()
    other = CallbackKey(KEY.token, KEY.encoding_aes_key, "somebody-else")
    genuine = KEY.encrypted(message)
    for key, encrypted in ((other, genuine), (KEY, altered[:-4]), (KEY, "!"), (KEY, "")):
        with pytest.raises(InvalidCallback):
            key.opened(key.signature("1700000000", "n", encrypted), "1700000000", "n", encrypted, now=1_700_000_000.0)
    with pytest.raises(InvalidCallback):
        KEY.opened(KEY.signature("1700000000", "n", genuine), "1700000000", "n", altered, now=1_700_000_000.0)


async def test_wecom_s_echo_is_answered_in_the_clear(register: Register) -> None:
    shop = await register("wecom", callback=CALLBACK)
    assert shop.source["secret"] is None
    encrypted = KEY.encrypted(b"1616140317555161061")
    params = {**query(KEY, encrypted), "echostr": encrypted}
    answer = await shop.sender.get(f"{shop.path}?{urlencode(params)}")
    assert (answer.status_code, answer.text) == (200, "1616140317555161061")
    for wrong in ({"msg_signature": "0" * 40}, {"timestamp": str(int(time.time()) - 3_600)}, {"echostr": "x"}):
        answer = await shop.sender.get(f"{shop.path}?{urlencode({**params, **wrong})}")
        assert answer.status_code == 401, wrong
    stale = {**query(KEY, encrypted, at=time.time() - 3_600), "echostr": encrypted}
    assert (await shop.sender.get(f"{shop.path}?{urlencode(stale)}")).status_code == 401


async def test_wecom_s_event_is_stored_as_it_was_within(tenant: Keyholder, register: Register) -> None:
    shop = await register("wecom", callback=CALLBACK)
    for _ in range(2):  # encrypted anew each time, and the same within
        encrypted = KEY.encrypted(EVENT.encode())
        body = f"<xml><ToUserName>x</ToUserName><AgentID>1</AgentID><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        answer = await shop.sender.post(f"{shop.path}?{urlencode(query(KEY, encrypted))}", content=body.encode())
        assert (answer.status_code, answer.text) == (200, "success")
    found = (await tenant.client.get("/v1/inbound-deliveries", params={"source_id": shop.source["id"]})).json()["data"]
    assert [one["topic"] for one in found] == ["event.change_external_contact.add_external_contact"]
    payload = (await tenant.client.get(f"/v1/inbound-deliveries/{found[0]['id']}/payload")).json()
    assert payload["body"] == EVENT


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Encrypt>&a;</Encrypt></xml>',
        b"<xml><Encrypt>",
        b"<xml/>",
        b"{}",
        b"",
    ],
)
async def test_what_is_no_callback_is_refused(register: Register, body: bytes) -> None:
    shop = await register("wecom", callback=CALLBACK)
    answer = await shop.sender.post(f"{shop.path}?{urlencode(query(KEY, ''))}", content=body)
    assert answer.status_code == 401


async def test_dingtalk_is_answered_in_its_own_cipher(tenant: Keyholder, register: Register) -> None:
    shop = await register("dingtalk", callback=CALLBACK)

    async def send(message: dict[str, Any]) -> None:
        encrypted = KEY.encrypted(json.dumps(message).encode())
        asked = query(KEY, encrypted)
        asked["signature"] = asked.pop("msg_signature")
        answer = await shop.sender.post(f"{shop.path}?{urlencode(asked)}", json={"encrypt": encrypted})
        assert answer.status_code == 200, answer.text
        said = answer.json()
        wanted = KEY.opened(said["msg_signature"], said["timeStamp"], said["nonce"], said["encrypt"], now=time.time())
        assert wanted == b"success"

    await send({"EventType": "check_url"})
    await send({"EventType": "user_add_org", "UserId": ["u1"]})
    found = (await tenant.client.get("/v1/inbound-deliveries", params={"source_id": shop.source["id"]})).json()["data"]
    assert [one["topic"] for one in found] == ["user_add_org"]


async def test_a_callback_needs_its_keys(tenant: Keyholder) -> None:
    for body in (
        {"name": "x", "kind": "wecom"},
        {"name": "x", "kind": "wecom", "callback": {**CALLBACK, "encoding_aes_key": "short"}},
        {"name": "x", "kind": "wecom", "callback": CALLBACK, "secret": "something else"},
        {"name": "x", "kind": "shopify", "callback": CALLBACK},
        {"name": "x", "kind": "shopify", "authentication": {"scheme": "bearer"}},
    ):
        assert (await tenant.client.post("/v1/inbound-sources", json=body)).status_code == 422, body
