"""The fields that conditions and sorting may name: their types, where they are stored, where a document
holds them.

A feature declares them once; the same declaration compiles to SQL, reads documents and documents itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

from crm_contracts.sensitivity import Sensitivity
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

Column = ColumnElement[Any] | InstrumentedAttribute[Any]
Document = Mapping[str, object]
Value = TypeVar("Value")


class Op(StrEnum):
    """The operators. Missing is null, absent, or, for a list, without elements."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    """A part of a text; an element of a list."""
    STARTS_WITH = "starts_with"
    EXISTS = "exists"
    BEFORE = "before"
    AFTER = "after"
    WITHIN_LAST = "within_last"
    """From so long ago until now, both included; never in the future."""
    WITHIN_NEXT = "within_next"
    """From now until so far ahead, both included; never in the past."""
    ANNIVERSARY_WITHIN_NEXT = "anniversary_within_next"
    """A day that recurs every year, beginning with itself, does so from today until so far ahead, both included. The 29th of
    February recurs on the 28th in other years.
    """


RELATIVE: Final = frozenset({Op.WITHIN_LAST, Op.WITHIN_NEXT, Op.ANNIVERSARY_WITHIN_NEXT})
"""The operators that count from now: what they say changes though nothing is written. Their value is a length of time."""


class FieldType(StrEnum):
    """What a field holds. A list field satisfies a test if any of its elements does."""

    TEXT = "text"
    ID = "id"
    CHOICE = "choice"
    NUMBER = "number"
    """An exact decimal; also the amount of a money value."""
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    TEXT_LIST = "text_list"
    ID_LIST = "id_list"
    CHOICE_LIST = "choice_list"

    @property
    def element(self) -> FieldType:
        """The type of a list's elements; of anything else, itself."""
        return _ELEMENTS.get(self, self)

    @property
    def is_list(self) -> bool:
        return self in _ELEMENTS

    @property
    def is_textual(self) -> bool:
        """Whether values, or elements, are texts to PostgreSQL."""
        return self.element in {FieldType.TEXT, FieldType.ID, FieldType.CHOICE}

    @property
    def ops(self) -> frozenset[Op]:
        """The operators that make sense for this type."""
        return _OPS[self]


_ELEMENTS: Final = {
    FieldType.TEXT_LIST: FieldType.TEXT,
    FieldType.ID_LIST: FieldType.ID,
    FieldType.CHOICE_LIST: FieldType.CHOICE,
}
_EQUALITY: Final = frozenset({Op.EQ, Op.NE, Op.EXISTS})
_MEMBERSHIP: Final = _EQUALITY | {Op.IN, Op.NOT_IN}
_RANGE: Final = frozenset({Op.LT, Op.LTE, Op.GT, Op.GTE})
_TIME: Final = _MEMBERSHIP | _RANGE | {Op.BEFORE, Op.AFTER, Op.WITHIN_LAST, Op.WITHIN_NEXT}
_OPS: Final = {
    FieldType.TEXT: _MEMBERSHIP | _RANGE | {Op.CONTAINS, Op.STARTS_WITH},
    FieldType.ID: _MEMBERSHIP,
    FieldType.CHOICE: _MEMBERSHIP,
    FieldType.NUMBER: _MEMBERSHIP | _RANGE,
    FieldType.INTEGER: _MEMBERSHIP | _RANGE,
    FieldType.BOOLEAN: _EQUALITY,
    FieldType.DATE: _TIME | {Op.ANNIVERSARY_WITHIN_NEXT},
    FieldType.DATETIME: _TIME,
    FieldType.TEXT_LIST: _MEMBERSHIP | {Op.CONTAINS, Op.STARTS_WITH},
    FieldType.ID_LIST: _MEMBERSHIP | {Op.CONTAINS},
    FieldType.CHOICE_LIST: _MEMBERSHIP | {Op.CONTAINS},
}


class Held(NamedTuple):
    """A JSONB column whose objects hold a value under `key`, as JSON spells it; a GIN index finds it by `@>`."""

    column: Column
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One field that conditions may test and lists may sort by.

    name: as the API calls it, dotted for nesting: `spending.total_90d`.
    column: a column or any SQL expression of that type; lists are arrays (`text[]`), which a GIN index
    serves.
        Numbers are best `numeric`. None: the field exists only in documents and cannot be compiled to SQL.
    value: where a document holds it: a dotted path, or a function of the document; the name if left out.
        A path that meets a list goes on in each of its elements.
    part_of: the member of the entity that it tells of, where `value` is a function.
    sensitivity: its own, where it is not that of the member.
    choices: what a choice may be.
    nullable: False promises that the column is never null, which gives plainer SQL and plainer indexes.
    selective: few rows have any one of its elements, so that they are looked up first, whatever else a list asks for. A
    list in a table that has an `id`.
    held: where it is also to be found by equality, or as an element. That must find nothing but what `column` would.
    grams: a column with the grams of the text, among others (`db/text_grams.py`), which finds what `contains` asks for.
    family: of many fields that are alike, `<family>.<KEY>` each: what these begin with. A schema tells them by their form.
    normalise: how text is spelled before it is compared, such as `str.casefold`: applied to what conditions ask for
        and to what documents hold. The column holds text that it leaves as it is. Must take parts of texts too.
    """

    name: str
    type: FieldType
    column: Column | None = None
    value: str | Callable[[Document], object] | None = None
    part_of: str | None = None
    sensitivity: Sensitivity | None = None
    choices: tuple[str, ...] = ()
    filterable: bool = True
    sortable: bool = False
    nullable: bool = True
    selective: bool = False
    held: Held | None = None
    grams: Column | None = None
    family: str | None = None
    normalise: Callable[[str], str] | None = None

    def __post_init__(self) -> None:
        if self.type.element is FieldType.CHOICE and not self.choices:
            raise ValueError(f"The choice field {self.name!r} declares no choices.")
        if self.sortable and (self.type.is_list or self.column is None):
            raise ValueError(f"The field {self.name!r} cannot be sorted by: that takes a column of single values.")
        if self.selective and not self.type.is_list:
            raise ValueError(
                f"The field {self.name!r} is not selective: PostgreSQL knows how many rows have one value."
            )
        if self.grams is not None and self.type is not FieldType.TEXT:
            raise ValueError(f"The field {self.name!r} has no grams: it is not a text.")

    def normalised(self, value: Value) -> Value:
        """The value as it is compared."""
        return self.normalise(value) if self.normalise is not None and isinstance(value, str) else value  # type: ignore[return-value]  # a text stays a text

    def in_document(self, document: Document) -> object:
        """The raw value that a document holds; None if it holds none."""
        if callable(self.value):
            return self.value(document)
        return _follow(document, (self.value or self.name).split("."))


def _follow(value: object, path: list[str]) -> object:
    for index, step in enumerate(path):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | tuple):
            found: list[object] = []
            for element in value:
                inner = _follow(element, path[index:])
                found.extend(inner if isinstance(inner, list | tuple) else [inner])
            return found
        else:
            return None
    return value


class FieldSet:
    """The fields of one resource, by name.

    `without`: operators that conditions over them may not use. `declared_under`: a tenant may have more of them, whose names
    begin with this and a dot (`with_fields`).
    """

    def __init__(
        self, name: str, fields: Iterable[Field], *, without: Collection[Op] = (), declared_under: str | None = None
    ) -> None:
        self.name = name
        self.declared_under = declared_under
        self.without = frozenset(without)
        self._fields: dict[str, Field] = {}
        for field in fields:
            if field.name in self._fields:
                raise ValueError(f"{name} declares the field {field.name!r} twice.")
            self._fields[field.name] = field

    def __iter__(self) -> Iterator[Field]:
        return iter(self._fields.values())

    def get(self, name: str) -> Field | None:
        return self._fields.get(name)

    def filterable(self, name: str) -> Field | None:
        """The field of this name, if conditions may test it."""
        field = self._fields.get(name)
        return field if field is not None and field.filterable else None

    def may_declare(self, name: str) -> bool:
        """Whether a tenant may have a field of this name that is not among these."""
        return self.declared_under is not None and name.startswith(f"{self.declared_under}.")

    def ops(self, field: Field) -> frozenset[Op]:
        """The operators that conditions may use on one of these fields."""
        return field.type.ops - self.without

    def sortable(self, name: str) -> Field | None:
        """The field of this name, if lists may be sorted by it."""
        field = self._fields.get(name)
        return field if field is not None and field.sortable else None

    def published(self) -> list[dict[str, object]]:
        """Those that a document alone can tell of, for whoever has only documents; `from_published` reads them."""
        return [
            {"name": field.name, "type": field.type.value}
            | ({"path": field.value} if field.value else {})
            | ({"choices": list(field.choices)} if field.choices else {})
            for field in self
            if field.filterable and not callable(field.value) and field.normalise is None
        ]

    @classmethod
    def from_published(
        cls,
        name: str,
        published: Iterable[Mapping[str, Any]],
        column: Callable[[str, FieldType], Column] | None = None,
    ) -> FieldSet:
        """`column`: that of a path in documents, where rows hold these too."""
        return cls(
            name,
            [
                Field(
                    told["name"],
                    kind := FieldType(told["type"]),
                    column(told.get("path", told["name"]), kind) if column is not None else None,
                    value=told.get("path"),
                    choices=tuple(told.get("choices", ())),
                )
                for told in published
            ],
        )

    def with_fields(self, extra: Iterable[Field]) -> FieldSet:
        """This set and more: the custom fields of a tenant, say."""
        return FieldSet(self.name, [*self, *extra], without=self.without, declared_under=self.declared_under)
