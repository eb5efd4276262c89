"""What is sealed opens for its purpose, its place and its secret alone."""

import os

import pytest
from crm_kit.http.sealing import Sealer, Unsealable
from crm_kit.keyring import Keyring
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

SECRET = "only-for-tests-0123456789abcdefgh"
NEXT = "the-next-one-0123456789-abcdefgh"


@given(st.binary(max_size=500), st.text(max_size=50))
def test_a_sealed_text_opens_at_its_place(plain: bytes, place: str) -> None:
    sealed = Sealer(Keyring(SECRET), "answers").seal(plain, place)
    assert Sealer(Keyring(SECRET), "answers").unseal(sealed, place) == plain
    assert len(plain) < 8 or plain not in sealed


def test_it_opens_nowhere_else() -> None:
    sealed = Sealer(Keyring(SECRET), "answers").seal(b"key", "tenant/1")
    tampered = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for sealer, text, place in (
        (Sealer(Keyring(SECRET), "answers"), sealed, "tenant/2"),
        (Sealer(Keyring(SECRET), "other"), sealed, "tenant/1"),
        (Sealer(Keyring(SECRET + "x"), "answers"), sealed, "tenant/1"),
        (Sealer(Keyring(SECRET), "answers"), tampered, "tenant/1"),
        (Sealer(Keyring(SECRET), "answers"), b"short", "tenant/1"),
        (Sealer(Keyring(SECRET), "answers"), b"", "tenant/1"),
    ):
        with pytest.raises(Unsealable):
            sealer.unseal(text, place)


def test_equal_texts_are_sealed_differently() -> None:
    sealer = Sealer(Keyring(SECRET), "answers")
    assert sealer.seal(b"key", "p") != sealer.seal(b"key", "p")


@given(st.binary(max_size=100), st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True), st.data())
def test_what_any_secret_of_the_ring_has_sealed_opens(plain: bytes, secrets: list[str], data: st.DataObject) -> None:
    by = data.draw(st.sampled_from(secrets))
    ring = Keyring(secrets[0], tuple(secrets[1:]))
    sealed = Sealer(Keyring(by), "answers").seal(plain, "place")
    assert Sealer(ring, "answers").unseal(sealed, "place") == plain
    assert sealed.startswith(Sealer(ring, "answers").mark) == (by == secrets[0])


def test_a_secret_that_was_taken_away_is_named_by_its_key_and_never_shown() -> None:
    sealed = Sealer(Keyring(SECRET), "answers").seal(b"key", "p")
    with pytest.raises(Unsealable) as caught:
        Sealer(Keyring(NEXT), "answers").unseal(sealed, "p")
    assert Sealer(Keyring(SECRET), "answers").mark[1:].hex() in str(caught.value)
    assert SECRET not in str(caught.value) + repr(Keyring(NEXT, (SECRET,)))


def test_texts_from_before_there_were_marks_open() -> None:
    nonce = os.urandom(12)
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"answers").derive(SECRET.encode())
    sealed = nonce + AESGCM(key).encrypt(nonce, b"key", b"p")
    assert Sealer(Keyring(NEXT, (SECRET,)), "answers").unseal(sealed, "p") == b"key"
