"""What is folded of a part of a text is a part of what is folded of the text."""

from crm_kit.texts.folding import fold, fold_each, has_han
from hypothesis import given
from hypothesis import strategies as st


def test_what_means_the_same_is_one() -> None:
    for one, other in (("É", "e"), ("Ｍｅｉ", "mei"), ("歐陽", "欧阳"), ("Straße", "strasse"), ("Łukasz", "lukasz")):
        assert fold(one) == fold(other) == fold_each(one) == fold_each(other)


def test_a_phrase_does_not_change_what_its_characters_are_folded_to() -> None:
    assert "乾" in fold("乾隆")
    assert fold_each("乾") in fold_each("乾隆")


_LETTERS = st.text(
    st.characters(categories=("L", "N", "P", "Zs"), exclude_characters="\u1100\u1161\u11a8"), max_size=12
)


@given(_LETTERS, st.data())
def test_a_part_stays_a_part(text: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))
    assert fold_each(text[begin:end]) in fold_each(text)


@given(st.text(max_size=30))
def test_folding_twice_is_folding_once(text: str) -> None:
    once = fold_each(text)
    assert fold_each(once) == once or has_han(text) or not text.isascii()
