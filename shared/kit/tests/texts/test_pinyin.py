"""Readings are those of pypinyin, by its own way of telling them."""

import os

import orjson
from crm_kit.texts.pinyin import pinyin, readings_of, sound, surname_pinyin, syllables
from hypothesis import given
from hypothesis import strategies as st

os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")

from pypinyin import Style, lazy_pinyin
from pypinyin import pinyin as pinyin_of


def test_the_usual_reading_is_the_one_that_pypinyin_tells() -> None:
    for code in [*range(0x3400, 0xA000), *range(0xF900, 0xFB00), *range(0x20000, 0x2A700)]:
        character = chr(code)
        told = lazy_pinyin(character, style=Style.NORMAL)[0].replace("v", "u")
        if told.isascii():  # what it does not know it answers with the character; ê is a sound of no name
            assert pinyin(character) == told, character
    assert readings_of("a") == readings_of("，") == ()


@given(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5))
def test_a_character_has_all_of_its_readings(character: str) -> None:
    [told] = pinyin_of(character, style=Style.NORMAL, heteronym=True)
    assert set(readings_of(character)) >= {each.replace("v", "u") for each in told if each.isascii()}


def test_characters_with_several_readings() -> None:
    assert {"dan", "shan", "chan"} <= set(readings_of("单"))
    assert {"zhong", "chong"} <= set(readings_of("重"))
    assert surname_pinyin("单") == "shan"
    assert readings_of("吕") == ("lu",)
    assert pinyin("晓梅") == "xiaomei"
    assert {"zhang", "e", "xian", "lue"} <= syllables()
    assert all(set(each) <= set("abcdefghijklmnopqrstuvwxyz") for each in syllables())
    assert sound("zhang") == sound("zang") != sound("zan" + "x")
    assert orjson.dumps(sorted(syllables()))
