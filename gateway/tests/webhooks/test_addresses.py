"""Addresses that no webhook may go to, in every disguise. The tests' own receiver is at 127.0.0.1, which alone is exempted."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from crm_testkit.webhooks import Hooks, place, until

HOSTS = """
    0.0.0.0 0 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.2 127.1 127.0.1 127.255.255.254 169.254.169.254
    169.254.43518 172.16.0.1 172.31.255.255 192.0.0.8 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.51.100.1
    203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 168.63.129.16 2130706433 2130706434 0x7f000001 0x7f.1
    0x7f.0.0.2 0177.0.0.1 017700000001 0251.0376.0251.0376 2852039166 0xa9fea9fe 0xa9.0xfe.0xa9.0xfe 3232235521
    [::1] [::] [::127.0.0.1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [64:ff9b::7f00:1]
    [64:ff9b::169.254.169.254] [64:ff9b:1::a9fe:a9fe] [2002:7f00:1::] [2002:a9fe:a9fe::] [2001:0:7f00:1::]
    [2001:0:4136:e378:8000:63bf:3fff:fdd2] [2001:db8::1] [3fff::1] [5f00::1] [100::1] [fc00::1] [fd00:ec2::254] [fe80::1]
    [fe80::1%25lo] [fec0::1] [ff02::1] localhost LOCALHOST localhost. localhost.localdomain ip6-localhost foo.localhost
    metadata.google.internal instance-data kubernetes.default.svc ①②⑦.⓪.⓪.② 127。0。0。2 １２７.0.0.2 127.0.0.1. 127.0.0.1.nip.io
    %31%32%37.0.0.2 ⑯⑨.254.169.254
""".split()

FORMS = """
    http://example.com/ http://93.184.215.14/ ftp://example.com/ file:///etc/passwd gopher://example.com/ dict://example.com/
    javascript:alert(1) data:text/plain,x //example.com/ https:/example.com https:example.com https:// https://:443/
    https://user@example.com/ https://user:pass@example.com/ https://example.com@169.254.169.254/ https://@169.254.169.254/
    https://169.254.169.254#@example.com https://169.254.169.254\\@example.com/ https://example.com/#x https://example.com:22/
    https://example.com:0/ https://example.com:8080/ https://example.com:65536/ https://example.com:99999/ https://[::1
    https://[::1]x/ https://example.com:443x/ https://exam\tple.com/ https://exam\nple.com/ https://exam\0ple.com/
""".strip().split(" ")


@pytest_asyncio.fixture
async def refusing(hooks: Hooks) -> AsyncIterator[Hooks]:
    yield hooks
    assert not hooks.receiver.asked


@pytest.mark.parametrize("host", HOSTS)
async def test_an_address_inside_is_refused_at_once_or_never_asked(refusing: Hooks, host: str) -> None:
    answer = await refusing.client.post("/v1/webhook-endpoints", json={"url": f"https://{host}/latest/meta-data/"})
    if answer.status_code == 422:
        assert answer.json()["errors"][0]["pointer"] == "/url"
        return
    assert answer.status_code == 201, answer.text
    made = answer.json()
    sent = await refusing.post(f"{place(made)}/test", 202)

    async def tried() -> bool:
        return bool((await refusing.get(f"{place(made)}/deliveries/{sent['id']}"))["attempts"])

    await until(tried)
    waiting = await refusing.get(f"{place(made)}/deliveries/{sent['id']}")
    assert waiting["error"] in ("address_refused", "name_not_found", "malformed_answer"), waiting
    assert waiting["log"][0]["status"] is None
    assert waiting["log"][0]["response_excerpt"] == ""


@pytest.mark.parametrize("url", FORMS)
async def test_what_is_no_plain_https_url_is_refused(refusing: Hooks, url: str) -> None:
    answer = await refusing.client.post("/v1/webhook-endpoints", json={"url": url.strip()})
    assert answer.status_code == 422, (url, answer.text)
    assert all(error["pointer"].startswith("/url") for error in answer.json()["errors"])


async def test_an_endpoint_cannot_be_moved_inside(hooks: Hooks) -> None:
    made = await hooks.subscribe()
    for url in ("https://169.254.169.254/", "http://10.0.0.1/", "https://[::1]/"):
        assert (await hooks.client.patch(place(made), json={"url": url})).status_code == 422
    await asyncio.sleep(0)
    assert (await hooks.get(place(made)))["url"] == f"{hooks.receiver.url}/hook"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "169.254.169.254"},
        {"webhook-signature": "v1,x"},
        {"Content-Length": "0"},
        {"Transfer-Encoding": "chunked"},
        {"X": "a\r\nHost: b"},
        {"X\r\nY": "a"},
        {"Relata-Hops": "0"},
        {"X": "ü"},
        {"": "x"},
        {"X": "1", "x": "2"},
    ],
)
async def test_headers_that_would_change_the_request_are_refused(hooks: Hooks, headers: dict[str, str]) -> None:
    body = {"url": "https://example.com/", "headers": headers}
    assert (await hooks.client.post("/v1/webhook-endpoints", json=body)).status_code == 422
