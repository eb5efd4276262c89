"""What the proxy lets through, over all inputs."""

from urllib.parse import unquote

from gateway.proxy.rules import forwarded_headers, safe_path, safe_query
from gateway.proxy.table import prefix_of
from hypothesis import example, given
from hypothesis import strategies as st

PIECES = st.lists(
    st.sampled_from(
        "/ // . .. %2e %2E%2e %2f %5c \\ %00 % v1 contacts internal facts a %20 %E4%BD%A0 ; ? # %252e %c0%ae".split()
    ),
    max_size=12,
)


@given(PIECES)
@example(["v1", "/", "contacts", "/", "..", "/", "..", "/", "internal", "/", "facts"])
@example(["v1", "/", "contacts", "/", "%2E%2e", "/", "internal"])
def test_a_forwarded_path_stays_below_its_prefix(pieces: list[str]) -> None:
    raw = ("/" + "".join(pieces)).encode()
    path = safe_path(raw)
    if path is None:
        return
    assert path.encode() == raw
    segments = path.split("/")[1:]
    assert all(segments)
    for segment in segments:
        decoded = unquote(segment, encoding="latin-1")
        assert decoded not in (".", "..")
        assert not set(decoded) & {"/", "\\", "\x00"}


@given(st.binary(max_size=300))
def test_no_path_makes_it_fail(raw: bytes) -> None:
    path = safe_path(raw)
    assert path is None or path.encode() == raw
    prefix_of(raw.decode("latin-1"))


@given(st.binary(max_size=300))
def test_a_query_is_printable_ascii_and_sent_as_it_came(raw: bytes) -> None:
    query = safe_query(raw)
    assert query.isascii()
    assert " " not in query
    assert "#" not in query
    if all(0x21 <= byte < 0x7F and byte != 0x23 for byte in raw):
        assert query.encode() == raw


def test_ordinary_ids_pass() -> None:
    for path in (
        b"/v1/contacts",
        b"/v1/contacts/contact_01jd3zq8w9e2vbx7k5m4n6p8qr/consents/state",
        b"/v1/unsubscribe/eyJhbGciOi.J9~x-y_z=",
        b"/v1/contacts/%E4%BD%A0%E5%A5%BD",
    ):
        assert safe_path(path) == path.decode()
    assert safe_path(b"/v1/contacts/" + b"a" * 3000) is None


def test_repeated_headers_are_joined_and_foreign_ones_dropped() -> None:
    headers = [(b"If-Match", b'"1"'), (b"if-match", b'"2"'), (b"Cookie", b"a=b"), (b"X-Forwarded-For", b"10.0.0.1")]
    assert forwarded_headers(headers) == {"if-match": '"1", "2"', "accept-encoding": "identity"}
