"""What is shown of a member to whom: every member of every entity is classed, and masks keep forms and hide values."""

import pytest
from crm_contracts.registry import EVERY_TOPIC, Topic
from crm_contracts.sensitivity import Classified, classes_of, mask_email, mask_phone, mask_text
from crm_contracts.types import Contract
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("topic", EVERY_TOPIC, ids=lambda topic: topic.name)
def test_every_member_is_classed(topic: Topic) -> None:
    declared = {
        name
        for name, field in topic.model.model_fields.items()
        if any(isinstance(each, Classified) for each in field.metadata)
    }
    assert set(topic.model.model_fields) == declared, "class it (crm_contracts/sensitivity.py), or nobody reads it"


def test_what_declares_nothing_is_private() -> None:
    class Forgotten(Contract):
        salary: int

    assert classes_of(Forgotten)["salary"].sensitivity == "private"


@pytest.mark.parametrize(
    ("mask", "value", "shown"),
    [
        (mask_phone, "+8613800138000", "+86138****8000"),
        (mask_phone, "+14155552671", "+141****2671"),
        (mask_phone, "+49301234", "****"),
        (mask_email, "xiaomei@example.com", "x***@example.com"),
        (mask_email, "欧阳@例子.公司", "欧***@例子.公司"),
        (mask_email, "no address", "n***"),
        (mask_text, "欧阳晓梅", "欧***"),
        (mask_text, "", "***"),
    ],
)
def test_masks(mask: object, value: str, shown: str) -> None:
    assert mask(value) == shown  # type: ignore[operator]  # each is a function


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_a_masked_phone_never_shows_what_is_masked(number: str) -> None:
    shown = mask_phone(number)
    assert number[1:] not in shown
    assert len(shown.replace("*", "")) <= len(number) - 4


@given(st.text(min_size=2), st.sampled_from(["example.com", "例子.公司"]))
def test_a_masked_address_shows_one_character_of_its_local_part(local: str, domain: str) -> None:
    assert mask_email(f"{local}@{domain}") == f"{local[0]}***@{domain}"
