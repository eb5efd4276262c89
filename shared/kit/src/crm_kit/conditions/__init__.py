"""The one condition language: declared fields, a checked condition, its SQL and its evaluation in Python.

It filters lists, defines segments, routes, assigns, tags and branches; there is no second.
"""

from crm_kit.conditions.evaluate import evaluate
from crm_kit.conditions.fields import Document, Field, FieldSet, FieldType, Op
from crm_kit.conditions.parse import (
    AllOf,
    AnyOf,
    Comparison,
    ConditionError,
    ErrorCode,
    InvalidCondition,
    Not,
    comparisons_in,
    parse,
)
from crm_kit.conditions.parse import Condition as CheckedCondition
from crm_kit.conditions.query import parse_equality
from crm_kit.conditions.schema import Condition, ConditionSchema, query_schema
from crm_kit.conditions.sql import compile_condition, is_guessed, json_column

__all__ = [
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
    "InvalidCondition",
    "Not",
    "Op",
    "comparisons_in",
    "compile_condition",
    "evaluate",
    "is_guessed",
    "json_column",
    "parse",
    "parse_equality",
    "query_schema",
]
