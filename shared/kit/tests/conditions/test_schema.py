"""The JSON Schema of the language says what the parser accepts."""

from typing import Annotated, Any

import jsonschema_rs
import pytest
from crm_kit.conditions import Condition, ConditionSchema, FieldSet, InvalidCondition, Op, parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError


class Saved(BaseModel):
    condition: Condition


def _schema(fields: FieldSet) -> dict[str, Any]:
    return TypeAdapter(Annotated[dict[str, object], ConditionSchema(fields)]).json_schema()


LEAF = {"field": "name", "op": "eq", "value": "a"}


def test_the_component_has_a_name_and_refers_to_itself(fields: FieldSet) -> None:
    schema = _schema(fields)

    assert schema["$ref"] == "#/$defs/ThingCondition"
    alternatives = schema["$defs"]["ThingCondition"]["allOf"][0]["oneOf"]
    assert alternatives[0]["properties"]["all"]["items"] == {"$ref": "#/$defs/ThingCondition"}
    assert "secret" not in str(alternatives)


def test_operators_that_are_not_offered_are_neither_described_nor_taken(fields: FieldSet) -> None:
    lasting = FieldSet("Lasting", fields, without=[Op.WITHIN_LAST])
    for raw, valid in (
        ({"field": "at", "op": "within_last", "value": "90d"}, False),
        ({"field": "at", "op": "after", "value": "2026-01-01T00:00:00Z"}, True),
    ):
        assert jsonschema_rs.validator_for(_schema(lasting)).is_valid(raw) is valid
        if not valid:
            with pytest.raises(InvalidCondition, match=r"The operators of 'at' .* are (?!.*within_last)"):
                parse(raw, lasting)


@pytest.mark.parametrize(
    ("raw", "valid"),
    [
        (LEAF, True),
        ({"all": [LEAF, {"not": {"any": [LEAF]}}]}, True),
        ({"field": "name", "op": "exists"}, True),
        ({"field": "state", "op": "in", "value": ["new"]}, True),
        ({"field": "money.amount", "op": "gt", "value": "1.50"}, True),
        ({"all": []}, False),
        ({**LEAF, "extra": 1}, False),
        ({"field": "nobody", "op": "eq", "value": "a"}, False),
        ({"field": "ok", "op": "lt", "value": True}, False),
        ({"field": "state", "op": "eq", "value": "a"}, False),
        ({"field": "day", "op": "within_last", "value": "12h"}, False),
        ({"not": {"field": "count", "op": "eq", "value": "1"}}, False),
    ],
)
def test_schema_and_parser_agree(fields: FieldSet, raw: dict[str, Any], valid: bool) -> None:
    validator = jsonschema_rs.validator_for(_schema(fields), validate_formats=True)

    assert validator.is_valid(raw) is valid
    if valid:
        parse(raw, fields)
    else:
        with pytest.raises(InvalidCondition):
            parse(raw, fields)


_FORMATS = {"date": st.dates().map(str), "date-time": st.datetimes().map(lambda at: f"{at.isoformat()}Z")}


def _values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of the few kinds of schema that comparisons are made of."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of(*map(_values, schema["anyOf"]))
    match schema["type"]:
        case "array":
            return st.lists(_values(schema["items"]), min_size=schema["minItems"], max_size=schema["maxItems"])
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "number":
            return st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"))
    if "format" in schema:
        return _FORMATS[schema["format"]]
    storable = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    return st.text(storable, max_size=schema["maxLength"])


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_parser_accepts_what_the_schema_describes(fields: FieldSet, data: st.DataObject) -> None:
    comparison = data.draw(st.sampled_from(_schema(fields)["$defs"]["ThingCondition"]["allOf"][0]["oneOf"][3:]))
    raw = {name: data.draw(_values(value)) for name, value in comparison["properties"].items()}

    parse(raw, fields)


def test_the_value_stays_what_the_client_sent() -> None:
    raw = {"field": "anything", "op": "eq", "value": 1, "unknown": [None]}

    saved = Saved.model_validate({"condition": raw})

    assert saved.condition == raw
    assert saved.model_dump(mode="json") == {"condition": raw}
    with pytest.raises(ValidationError, match="A condition is an object"):
        Saved.model_validate({"condition": []})
