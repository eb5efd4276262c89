"""Whatever somebody is called: each part, reading and slip of it finds them, by grams of the index and by what is looked at."""

import random
import string
from typing import Any

import phonenumbers
import pytest
from crm_kit.texts.pinyin import readings_of, surname_pinyin
from gateway.features.customers.search import arms
from gateway.features.customers.search.fields import (
    PARTS,
    Searched,
    SearchedText,
    folded,
    parse,
    phone_digits,
    searched,
    spelled,
)
from gateway.features.customers.search.grams import grams_of
from gateway.features.customers.search.matching import fit_of, last_rank
from gateway.features.customers.search.query import MAX_LENGTH, TooManyWords, parses, understood
from hypothesis import assume, given, settings
from hypothesis import strategies as st

TENANT = "tenant_x"
HAN = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗单仇曾解重长乐晓梅欧阳雄信伟芳国强云帆科技公司雲張劉陳"
LETTERS = string.ascii_letters + "éüßøçñА́бвгΩλ"


def contact(**members: Any) -> Searched:
    profile: dict[str, Any] = {"full_name": None, "first_name": None, "last_name": None, "id": "contact_x"}
    profile |= {"created_at": "2026-10-01T08:00:00Z", **members}
    identities = profile.pop("identities", [])
    return searched({"id": "contact_x", "kind": "contact", "profile": profile, "account": profile.pop("account", None),
                     "identities": identities})  # fmt: skip


def is_found(customer: Searched, q: str) -> bool:
    """As the index and what comes after it find: by grams that all words of an alternative have some way of."""
    query = understood(q)
    assert query is not None
    has = set(grams_of(TENANT, customer))
    for_each = [
        [arms.within(TENANT, word).all | arms.sounding(TENANT, word).all for word in words]
        for words in query.alternatives
    ]
    by_index = any(all(any(has.issuperset(arm.grams) for arm in ways) for ways in words) for words in for_each)
    by_index = by_index or any(has.issuperset(arm.grams) for arm in arms.wholes(TENANT, query).all)
    texts = [text for part in PARTS for text in customer.texts[part]]
    return (by_index or query.is_short) and fit_of(query, texts, {}) is not None


words = st.text(st.sampled_from(HAN), min_size=1, max_size=6) | st.text(
    st.sampled_from(LETTERS), min_size=2, max_size=10
)
texts = st.lists(words, min_size=1, max_size=3).map(" ".join) | st.text(
    st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=12
)


@given(texts, st.data())
def test_every_part_of_a_text_finds_it(text: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(text) - 1))
    part = text[begin : data.draw(st.integers(begin + 1, len(text)))]
    plain = folded(text)
    assume(folded(part) and folded(part) in plain)
    assert is_found(contact(full_name=text), part)
    for kind in ("email", "wechat"):
        assert is_found(contact(identities=[{"type": kind, "value": text}]), part)
    assert is_found(contact(identities=[{"type": "external_id", "system": "erp", "value": text}]), part)
    assert is_found(contact(account={"id": "account_x", "name": text}), part)


@given(st.text(string.digits, min_size=8, max_size=11), st.data())
def test_a_number_is_found_however_it_is_grouped(digits: str, data: st.DataObject) -> None:
    customer = contact(identities=[{"type": "phone", "value": f"+86{digits}"}])
    begin = data.draw(st.integers(0, len(digits) - 3))
    part = digits[begin : data.draw(st.integers(begin + 3, len(digits)))]
    assert is_found(customer, part)
    for whole in (digits, f"+86{digits}", f"0086{digits}"):
        places = data.draw(st.sets(st.integers(3, len(whole) - 1), max_size=2))
        by = data.draw(st.sampled_from([" ", "-", ".", ") "]))
        grouped = "".join((by if n in places else "") + each for n, each in enumerate(whole))
        assert is_found(customer, grouped), grouped


@given(st.text(string.ascii_lowercase, min_size=4, max_size=12), st.data())
def test_every_single_slip_in_a_word_of_a_name_finds_it(word: str, data: st.DataObject) -> None:
    customer = contact(full_name=f"{word.title()} 王")
    assert is_found(customer, data.draw(slipped(word)))
    if len(word) >= 8:
        assert is_found(customer, data.draw(slipped(data.draw(slipped(word)))))


def slipped(word: str) -> st.SearchStrategy[str]:
    """One letter more, less, another, or two exchanged."""

    def slip(kind: str, at: int, letter: str) -> str:
        if kind == "more":
            return word[:at] + letter + word[at:]
        if kind == "less":
            return word[:at] + word[at + 1 :]
        if kind == "another":
            return word[:at] + letter + word[at + 1 :]
        return word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :]

    letters = st.sampled_from(string.ascii_lowercase)
    kinds = st.sampled_from(["more", "less", "another", "exchanged"])
    return st.builds(slip, kinds, st.integers(0, len(word) - 1), letters)


def read_as(dice: random.Random, name: str) -> list[str]:
    usual = [dice.choice(readings_of(each)) for each in name]
    return [surname_pinyin(name[0]), *usual[1:]] if dice.random() < 0.5 else usual


@settings(max_examples=600)
@given(st.text(st.sampled_from(HAN), min_size=2, max_size=4), st.integers(0, 2**32))
def test_every_way_to_write_its_pinyin_finds_a_name(name: str, seed: int) -> None:
    dice = random.Random(seed)
    customer = contact(full_name=name)
    read = read_as(dice, folded(name))
    assert is_found(customer, "".join(read))
    assert is_found(customer, " ".join(read))
    assert is_found(customer, " ".join(read[1:]) if len(read[1]) > 1 else "".join(read))
    assert is_found(customer, "".join(each[0] for each in read))
    if read[-1][0] not in "aeongr":  # which would rather belong to the syllable before: mao is one
        assert is_found(customer, "".join(read[:-1]) + read[-1][0])


@given(st.text(st.sampled_from("王张陈郑林宁牛梁生世成章江兴"), min_size=2, max_size=3), st.integers(0, 2**32))
def test_sounds_that_are_mixed_up_find_a_name(name: str, seed: int) -> None:
    dice = random.Random(seed)
    read = [readings_of(each)[0] for each in name]
    for n in range(len(read)):
        one, other = dice.choice(
            [("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l"), ("ang", "an"), ("eng", "en"), ("ing", "in")]
        )
        if read[n].startswith(one) and len(one) < 3:
            read[n] = other + read[n][len(one) :]
        elif read[n].endswith(one) and len(one) == 3:
            read[n] = read[n][:-1]
    assert is_found(contact(full_name=name), "".join(read))


@pytest.mark.parametrize(
    ("letters", "likeliest"),
    [("zhangwei", "zhang wei"), ("xian", "xian"), ("zw", "z w"), ("zhangw", "zhang w"), ("zhangwe", "zhang we")],
)
def test_letters_are_taken_for_syllables(letters: str, likeliest: str) -> None:
    assert " ".join(each.letters for each in parses(letters)[0]) == likeliest


@given(st.text(max_size=MAX_LENGTH))
def test_whatever_is_asked_is_understood_or_refused(q: str) -> None:
    try:
        query = understood(q)
    except TooManyWords:
        return
    if query is not None:
        for words in query.alternatives:
            for word in words:
                assert all(0 <= each < 2**31 for arm in arms.sounding(TENANT, word).all for each in arm.grams)
        fit = fit_of(query, [SearchedText("name", "张伟 michael"), SearchedText("phone", "8613800138000")], {})
        assert fit is None or 0 <= fit.rank <= last_rank("typo")


@given(st.lists(st.tuples(st.sampled_from(["name", "email", "phone", "company"]), st.text()), max_size=5))
def test_what_is_kept_is_read_as_it_was(given_texts: list[tuple[Any, str]]) -> None:
    kept = [SearchedText(field, plain) for field, text in given_texts if (plain := folded(text))]
    assert parse(spelled(kept)) == kept


@given(subscriber=st.integers(10**9, 10**10 - 1))
def test_a_chinese_mobile_number_is_dialled_as_the_library_says(subscriber: int) -> None:
    number = f"+861{subscriber}"
    within = phonenumbers.format_number(phonenumbers.parse(number, None), phonenumbers.PhoneNumberFormat.NATIONAL)
    national = "".join(filter(str.isdigit, within))
    assert phone_digits(number) == (number[1:], national)
