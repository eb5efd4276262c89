"""Names, telephone numbers, e-mail addresses and external ids, as pure rules."""

import phonenumbers
import pytest
from contacts_svc.features.contacts.rules import (
    COMPOUND_SURNAMES,
    InvalidEmail,
    InvalidPhone,
    PersonName,
    complete_name,
    email_key,
    normalise_email,
    normalise_phone,
    phone_key,
    unique,
)
from contacts_svc.features.external_ids.rules import external_key
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

han = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=5)
words = st.text(st.characters(categories=["L", "M", "N"]), min_size=1, max_size=12).filter(str.strip)


@pytest.mark.parametrize(
    ("full", "last", "first"),
    [
        ("王伟", "王", "伟"),
        ("李小龙", "李", "小龙"),
        ("欧阳晓梅", "欧阳", "晓梅"),
        ("司马光", "司马", "光"),
        ("諸葛亮", "諸葛", "亮"),
        ("上官婉儿", "上官", "婉儿"),
        ("欧阳", "欧", "阳"),
        ("欧 阳修", "欧", "阳修"),
        ("王　小明", "王", "小明"),
        ("卡尔·马克思", "马克思", "卡尔"),
        ("王", "王", None),
        ("𠮷野太郎", "𠮷", "野太郎"),
        ("Ada Lovelace", "Lovelace", "Ada"),
        ("Vincent van Gogh", "Gogh", "Vincent van"),
        ("Madonna", None, "Madonna"),
        ("王 Wang", "Wang", "王"),
        ("Ada \nLovelace", "Lovelace", "Ada"),
    ],
)
def test_a_full_name_is_split(full: str, last: str | None, first: str | None) -> None:
    assert complete_name(None, None, full) == PersonName(first, last, full)


@pytest.mark.parametrize(
    ("first", "last", "full"),
    [
        ("晓梅", "欧阳", "欧阳晓梅"),
        ("Ada", "Lovelace", "Ada Lovelace"),
        ("Wei", "王", "Wei 王"),
        ("Ada", None, "Ada"),
        (None, "王", "王"),
        (None, None, None),
    ],
)
def test_parts_make_a_full_name(first: str | None, last: str | None, full: str | None) -> None:
    assert complete_name(first, last, None) == PersonName(first, last, full)


@given(first=st.none() | words, last=st.none() | words, full=st.none() | words)
def test_no_part_that_was_given_is_changed(first: str | None, last: str | None, full: str | None) -> None:
    made = complete_name(first, last, full)
    assert first in (None, made.first)
    assert last in (None, made.last)
    assert full in (None, made.full)
    assert (made.full is None) is (first is last is full is None)


@given(han)
def test_the_parts_of_a_chinese_name_make_the_name_again(name: str) -> None:
    made = complete_name(None, None, name)
    assert f"{made.last}{made.first or ''}" == name
    assert made.last is not None
    assert len(made.last) == 1 or made.last in COMPOUND_SURNAMES
    again = complete_name(made.first, made.last, None)
    assert again == made


@pytest.mark.parametrize(
    ("number", "region", "expected"),
    [
        ("138 0013 8000", "CN", "+8613800138000"),
        ("13800138000", "CN", "+8613800138000"),
        ("+86 138-0013-8000", "US", "+8613800138000"),
        ("0086 13800138000", "CN", "+8613800138000"),
        ("010-6552 9988", "CN", "+861065529988"),
        ("(0571) 8502 2088", "CN", "+8657185022088"),
        ("１３８００１３８０００", "CN", "+8613800138000"),
        ("9123 4567", "HK", "+85291234567"),
        ("(201) 555-0123", "US", "+12015550123"),
        ("030 901820", "DE", "+4930901820"),
        ("020 7183 8750", "GB", "+442071838750"),
        ("tel:+49-30-901820", "CN", "+4930901820"),
    ],
)
def test_a_phone_number_becomes_e164(number: str, region: str, expected: str) -> None:
    assert normalise_phone(number, region) == expected
    assert normalise_phone(expected, "CN") == expected, "and stays it"


@pytest.mark.parametrize(
    "number", ["12345", "", "abc", "+", "+999 123456789", "138001380001234567", "+86 138 0013 8000 ext. 5"]
)
def test_what_cannot_be_dialled_is_refused(number: str) -> None:
    with pytest.raises(InvalidPhone):
        normalise_phone(number, "CN")


@given(st.text(max_size=40))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        number = normalise_phone(text, "CN")
    except InvalidPhone:
        return
    assert number == normalise_phone(number, "DE")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Xiaomei@Example.COM", "Xiaomei@example.com"),
        ("  a@example.com ", "a@example.com"),
        ("a+b@mail.example.cn", "a+b@mail.example.cn"),
        ("小梅@example.com", "小梅@example.com"),
        ("a@例子.example.com", "a@例子.example.com"),
        ("e\u0301@example.com", "é@example.com"),
    ],
)
def test_an_address_is_normalised(address: str, expected: str) -> None:
    assert normalise_email(address) == expected
    assert normalise_email(expected) == expected


@pytest.mark.parametrize(
    "address", ["", "a", "a@", "@example.com", "a@b", "a b@example.com", "a@example..com", "a@-x.com", "a@x.cn\0"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidEmail):
        normalise_email(address)


@given(st.emails() | st.text(max_size=30))
def test_normalising_twice_changes_nothing(text: str) -> None:
    try:
        address = normalise_email(text)
    except InvalidEmail:
        return
    assert normalise_email(address) == address


local_parts = st.text(st.sampled_from("aZ9.+-_!#'\"@ é汉\n"), max_size=70)
domains = st.one_of(
    st.sampled_from(
        ["example.com", "EXAMPLE.com", "bücher.example.com", "例子.中国", "qq.com", "a.test", "[127.0.0.1]"]
    ),
    st.text(st.sampled_from("aZ9.-_é汉>"), max_size=70),
)


@given(local_parts, domains)
@example("a" * 64, "example.com")
@example("a" * 65, "example.com")
@example("a" * 50, "b.example")
def test_an_address_is_what_the_library_makes_of_the_whole(local: str, domain: str) -> None:
    address = f"{local}@{domain}"
    try:
        whole = validate_email(address.strip(), check_deliverability=False, allow_smtputf8=True).normalized
    except EmailNotValidError:
        with pytest.raises(InvalidEmail):
            normalise_email(address)
    else:
        assert normalise_email(address) == whole
    assert email_key(address.upper()) == email_key(email_key(address.upper()))


@given(st.text("0123456789+ ()-.\t", max_size=20))
def test_a_number_is_looked_for_without_its_punctuation(text: str) -> None:
    assert phone_key(phone_key(text)) == phone_key(text)
    assert set(phone_key(text)) <= set("0123456789+")


slugs = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,6}", fullmatch=True)


@given(slugs, st.text(max_size=6), slugs, st.text(max_size=6))
def test_two_external_ids_never_share_a_key(system: str, value: str, other_system: str, other_value: str) -> None:
    same = (system, value) == (other_system, other_value)
    assert (external_key(system, value) == external_key(other_system, other_value)) is same


def test_a_colon_belongs_to_one_side() -> None:
    assert external_key("a", "b:c") != external_key("a:b", "c")


@given(st.lists(st.text(max_size=2)))
def test_the_first_occurrence_stays(values: list[str]) -> None:
    assert unique(values) == sorted(set(values), key=values.index)


@given(st.from_regex(r"(\+86)?1[0-9]{10}", fullmatch=True).filter(str.isascii))
def test_a_chinese_mobile_is_what_the_library_makes_of_it(number: str) -> None:
    try:
        parsed = phonenumbers.parse(number, "CN")
    except phonenumbers.NumberParseException:  # what begins as a call abroad by a carrier, 1790012…
        parsed = None
    if parsed is not None and phonenumbers.is_valid_number(parsed):
        expected = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        assert normalise_phone(number, "CN") == expected
    else:
        with pytest.raises(InvalidPhone):
            normalise_phone(number, "CN")
