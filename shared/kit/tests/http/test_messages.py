"""What is wrong with the input is said in both languages, under codes that no library can rename."""

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from crm_kit.http.messages import describe
from crm_kit.http.problems import field_errors
from pydantic import BaseModel, Field, JsonValue, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError


class _Inner(BaseModel, extra="forbid"):
    day: date
    kind: Literal["a", "b"]


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        (date, "2026-02-30", "format"),
        (Annotated[int, Field(strict=True)], "7", "type"),
        (Annotated[int, Field(ge=1)], 0, "range"),
        (Annotated[str, Field(max_length=1)], "ab", "too_long"),
        (Annotated[list[int], Field(min_length=1)], [], "too_short"),
        (Literal["a"], "b", "choice"),
        (_Inner, 7, "type"),
        (bytes, 7, "invalid"),
        (frozenset[int], 7, "invalid"),
    ],
)
def test_every_fault_has_a_code_and_two_sentences(kind: Any, value: JsonValue, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    [error] = caught.value.errors()
    found, text = describe(error)
    assert found == code
    assert text.en.isascii()
    assert not text.zh.isascii()


def test_a_features_own_code_and_sentences_are_kept() -> None:
    error = PydanticCustomError("too_many_cooks", "Too many cooks", {"zh": "厨师太多"})
    detail = {"type": error.type, "msg": error.message(), "ctx": error.context}
    assert describe(detail) == ("too_many_cooks", ("Too many cooks", "厨师太多"))


def test_faults_point_at_their_places() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(dict[str, list[_Inner]]).validate_python({"a/b~c": [{"day": "2026-01-01", "kind": "c", "x": 1}]})
    assert [(error.pointer, error.code) for error in field_errors(caught.value.errors())] == [
        ("/a~1b~0c/0/kind", "choice"),
        ("/a~1b~0c/0/x", "unknown_field"),
    ]
