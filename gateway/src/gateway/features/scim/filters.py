"""From a SCIM filter (RFC 7644, section 3.4.2.2) to SQL: TRUE where the filter holds, else FALSE, never NULL.

`ScimFilter.match` of the library says the same of a resource in memory; a property test holds the two together.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from scim2_models import Resource
from scim2_models.path import (
    STRING_OPERATORS,
    AttributeBinding,
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ScimFilter,
    ValuePath,
    coerce_value,
)
from sqlalchemy import ColumnElement

from gateway.features.scim.errors import refused
from gateway.features.scim.schemas import POLICY

MAX_LENGTH: Final = 4_000
MAX_NESTING: Final = 50
MAX_COMPARISONS: Final = 100

_NOT_STORABLE: Final = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class Value:
    """An attribute of one value. `column`: folded as the policy folds, where the attribute is not case-exact."""

    column: ColumnElement[Any]
    nullable: bool = False


@dataclass(frozen=True)
class Values:
    """An attribute of many. `any_of` makes of a condition over one's parts a condition that one of them meets it.

    `permission`: what it takes to read them, and so to filter by them.
    """

    parts: Mapping[str, Value]
    any_of: Callable[[ColumnElement[bool]], ColumnElement[bool]]
    permission: str | None = None


Filtered = ColumnElement[bool] | None

Attributes = Mapping[str, Value | Values]
"""By the field of the resource's model, `field.part` for the parts of one that has one value."""


def folded(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """As `str.casefold` would have it, compared by code point."""
    return sa.collate(sa.func.casefold(sa.collate(column, "pg_unicode_fast")), "C")


def check_expression(text: str, scim_type: str) -> None:
    """Bounds what the library's parser, which recurses, is given. Raises ScimRefused."""
    if len(text) > MAX_LENGTH:
        raise refused(scim_type, f"at most {MAX_LENGTH:,} characters")
    if text.count("(") > MAX_NESTING:
        raise refused(scim_type, f"at most {MAX_NESTING} parentheses")


def compile_filter(
    node: FilterNode, model: type[Resource[Any]], attributes: Attributes
) -> tuple[ColumnElement[bool], frozenset[str]]:
    """The condition, and the permissions that it takes to read all that the filter looks at.

    Raises ScimRefused for what the attribute, or anybody, cannot be compared by.
    """
    compiler = _Compiler(model, attributes)
    return compiler.visit(node), frozenset(compiler.permissions)


class _Compiler(FilterVisitor[ColumnElement[bool]]):
    """What the model does not declare is nobody's: where that is wrong, it was refused when the request was read."""

    def __init__(self, model: type[Resource[Any]], attributes: Attributes) -> None:
        self._bind: Any = ScimFilter[model]("id pr")  # type: ignore[valid-type]  # the model is a value here
        self._attributes = attributes
        self._comparisons = 0
        self.permissions: set[str] = set()

    def visit_logical_expr(self, node: LogicalExpr) -> ColumnElement[bool]:
        join = sa.and_ if node.op == LogicalOperator.and_ else sa.or_
        return join(*(self.visit(term) for term in node.terms))

    def visit_not(self, node: Not) -> ColumnElement[bool]:
        return sa.not_(self.visit(node.expr))

    def visit_comparison(self, node: Comparison) -> ColumnElement[bool]:
        self._count()
        found = self._bind.resolve_comparison(node.attr_path, strict=False)
        if found is None:
            return sa.false()
        attribute = self._attribute(found)
        if isinstance(attribute, Value):
            return _compared(attribute, node, found)
        part = self._part(attribute, found)
        if node.value is None and node.op in (CompareOperator.eq, CompareOperator.ne):
            has_any = attribute.any_of(sa.true())
            return has_any if node.op == CompareOperator.ne else sa.not_(has_any)
        if node.op == CompareOperator.ne:  # none of them is equal
            return sa.not_(attribute.any_of(_compared(part, _as_eq(node), found)))
        return attribute.any_of(_compared(part, node, found))

    def visit_present(self, node: Present) -> ColumnElement[bool]:
        self._count()
        found = self._bind.resolve(node.attr_path, strict=False)
        if found is None:
            return sa.false()
        attribute = self._attribute(found)
        if isinstance(attribute, Values):
            return attribute.any_of(sa.true())
        return attribute.column.is_not(None) if attribute.nullable else sa.true()

    def visit_value_path(self, node: ValuePath) -> ColumnElement[bool]:
        found = self._bind.resolve(node.attr_path, strict=False)
        if found is None:
            return sa.false()
        attribute = self._attribute(found)
        if not isinstance(attribute, Values):
            raise _unsupported(str(node.attr_path))
        return attribute.any_of(_Within(self, node.attr_path, attribute).visit(node.val_filter))

    def part(self, outer: AttrPath, path: AttrPath, values: Values) -> tuple[Value, AttributeBinding]:
        """What `path` means within one of the values of `outer`."""
        self._count()
        if path.sub_attr is not None or path.uri is not None:
            raise _unsupported(str(path))
        found = self._bind.resolve_comparison(AttrPath(outer.attr, path.attr, outer.uri), strict=True)
        return self._part(values, found), found

    def _attribute(self, found: AttributeBinding) -> Value | Values:
        attribute = self._attributes.get(found.field_name)
        if attribute is None and found.sub_field_name is not None:
            attribute = self._attributes.get(f"{found.field_name}.{found.sub_field_name}")
        if attribute is None:
            raise _unsupported(found.urn)
        if isinstance(attribute, Values) and attribute.permission:
            self.permissions.add(attribute.permission)
        return attribute

    def _part(self, values: Values, found: AttributeBinding) -> Value:
        part = values.parts.get(found.sub_field_name or "")
        if part is None:
            raise _unsupported(found.urn)
        return part

    def _count(self) -> None:
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise refused("invalidFilter", f"at most {MAX_COMPARISONS} comparisons")


class _Within(FilterVisitor[ColumnElement[bool]]):
    """A filter in brackets, over the parts of one value."""

    def __init__(self, outer: _Compiler, path: AttrPath, values: Values) -> None:
        self._outer = outer
        self._path = path
        self._values = values

    def visit_logical_expr(self, node: LogicalExpr) -> ColumnElement[bool]:
        join = sa.and_ if node.op == LogicalOperator.and_ else sa.or_
        return join(*(self.visit(term) for term in node.terms))

    def visit_not(self, node: Not) -> ColumnElement[bool]:
        return sa.not_(self.visit(node.expr))

    def visit_comparison(self, node: Comparison) -> ColumnElement[bool]:
        part, found = self._outer.part(self._path, node.attr_path, self._values)
        return _compared(part, node, found)

    def visit_present(self, node: Present) -> ColumnElement[bool]:
        part, _ = self._outer.part(self._path, node.attr_path, self._values)
        return part.column.is_not(None) if part.nullable else sa.true()


def _as_eq(node: Comparison) -> Comparison:
    return Comparison(node.attr_path, CompareOperator.eq, node.value)


def _compared(value: Value, node: Comparison, found: AttributeBinding) -> ColumnElement[bool]:
    column, wanted = value.column, _wanted(node, found)
    if wanted is None:
        if node.op not in (CompareOperator.eq, CompareOperator.ne):
            return sa.false()
        absent = column.is_(None) if value.nullable else sa.false()
        return absent if node.op == CompareOperator.eq else sa.not_(absent)
    operand = sa.literal(wanted, column.type)
    match node.op:
        case CompareOperator.ne:
            return column.is_distinct_from(operand)
        case CompareOperator.co:
            holds = column.contains(wanted, autoescape=True)
        case CompareOperator.sw:
            holds = column.startswith(wanted, autoescape=True)
        case CompareOperator.ew:
            holds = column.endswith(wanted, autoescape=True)
        case _:
            holds = _OPERATORS[node.op](column, operand)
    return holds.is_(sa.true()) if value.nullable else holds


_OPERATORS: Final[Mapping[CompareOperator, Callable[[Any, Any], ColumnElement[bool]]]] = {
    CompareOperator.eq: lambda column, operand: column == operand,
    CompareOperator.gt: lambda column, operand: column > operand,
    CompareOperator.ge: lambda column, operand: column >= operand,
    CompareOperator.lt: lambda column, operand: column < operand,
    CompareOperator.le: lambda column, operand: column <= operand,
}


def _wanted(node: Comparison, found: AttributeBinding) -> Any:
    """What is compared with, as the column holds it."""
    wanted = coerce_value(found, node.value, node.op)
    if isinstance(wanted, datetime):
        if node.op in STRING_OPERATORS:
            raise _unsupported(found.urn)
        return wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    if wanted is not None and not isinstance(wanted, str | bool):
        raise _unsupported(found.urn)
    if isinstance(wanted, str):
        if _NOT_STORABLE.search(wanted):
            raise refused("invalidFilter", "text holds neither NUL nor lone surrogates")
        if found.target_type is not str:
            raise _unsupported(found.urn)
    return found.comparable(wanted, POLICY)


def _unsupported(name: str) -> Exception:
    return refused("invalidFilter", f"{name} cannot be filtered by like this")
