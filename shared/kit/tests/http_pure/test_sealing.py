"""What is sealed opens for its purpose, its place and its secret alone."""

import pytest
from crm_kit.http.sealing import Sealer, Unsealable
from hypothesis import given
from hypothesis import strategies as st

SECRET = "only-for-tests-0123456789abcdefgh"


@given(st.binary(max_size=500), st.text(max_size=50))
def test_a_sealed_text_opens_at_its_place(plain: bytes, place: str) -> None:
    sealed = Sealer(SECRET, "answers").seal(plain, place)
    assert Sealer(SECRET, "answers").unseal(sealed, place) == plain
    assert len(plain) < 8 or plain not in sealed


def test_it_opens_nowhere_else() -> None:
    sealed = Sealer(SECRET, "answers").seal(b"key", "tenant/1")
    tampered = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for sealer, text, place in (
        (Sealer(SECRET, "answers"), sealed, "tenant/2"),
        (Sealer(SECRET, "other"), sealed, "tenant/1"),
        (Sealer(SECRET + "x", "answers"), sealed, "tenant/1"),
        (Sealer(SECRET, "answers"), tampered, "tenant/1"),
        (Sealer(SECRET, "answers"), b"short", "tenant/1"),
        (Sealer(SECRET, "answers"), b"", "tenant/1"),
    ):
        with pytest.raises(Unsealable):
            sealer.unseal(text, place)


def test_equal_texts_are_sealed_differently() -> None:
    sealer = Sealer(SECRET, "answers")
    assert sealer.seal(b"key", "p") != sealer.seal(b"key", "p")
