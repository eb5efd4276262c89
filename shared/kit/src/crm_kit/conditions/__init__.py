"""The one condition language: declared fields, a checked condition, its SQL and its evaluation in Python.

It filters lists, defines segments, routes, assigns, tags and branches; there is no second.
"""

from crm_kit.conditions.evaluate import evaluate
from crm_kit.conditions.explain import Reason, next_change, reasons
from crm_kit.conditions.fields import RELATIVE, Document, Field, FieldSet, FieldType, Held, Op
from crm_kit.conditions.parse import (
    AllOf,
    AnyOf,
    Comparison,
    ConditionError,
    ErrorCode,
    InvalidCondition,
    Not,
    comparisons_in,
    named_fields,
    parse,
)
from crm_kit.conditions.parse import Condition as CheckedCondition
from crm_kit.conditions.query import parse_equality
from crm_kit.conditions.schema import Condition, ConditionSchema, declared_name, query_schema
from crm_kit.conditions.sql import compile_condition, is_guessed, json_column

__all__ = [
    "RELATIVE",
    "AllOf",
    "AnyOf",
    "CheckedCondition",
    "Comparison",
    "Condition",
    "ConditionError",
    "ConditionSchema",
    "Document",
    "ErrorCode",
    "Field",
    "FieldSet",
    "FieldType",
    "Held",
    "InvalidCondition",
    "Not",
    "Op",
    "Reason",
    "comparisons_in",
    "compile_condition",
    "declared_name",
    "evaluate",
    "is_guessed",
    "json_column",
    "named_fields",
    "next_change",
    "parse",
    "parse_equality",
    "query_schema",
    "reasons",
]
