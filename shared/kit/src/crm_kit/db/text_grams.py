"""Grams of texts: what an index finds a part of a text by, of one character too, and in any script.

A gram is a hash of one to three adjacent characters and of the tenant: so that tenants do not meet in the index, and
a row keeps four bytes a gram. A text has all grams of each of its parts; that it has them all does not say that it
has the part, so whoever looks up by grams looks at the text, too.

They are integers in an array because row-level security lets an index serve leakproof operators alone: `@>` is marked
so, `LIKE`, which a trigram index would serve, cannot be.
"""

from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Computed, Index, Integer, func, select
from sqlalchemy.dialects.postgresql import ARRAY

# hashtextextended is what hash partitioning stands on: PostgreSQL keeps it from version to version.
TEXT_GRAMS: Final = """
create function text_grams(scope text, variadic texts text[]) returns int[]
language plpgsql immutable parallel safe as $$
declare
    seed constant bigint := hashtextextended(scope, 0);
    value text;
    whole text := '';
    gram int;
    found int[] := '{}';
begin
    foreach value in array texts loop
        continue when value is null or strpos(whole, value) > 0;
        whole := value;
        for start in 1 .. length(value) loop
            for size in 1 .. least(3, length(value) - start + 1) loop
                gram := hashtextextended(substr(value, start, size), seed) & 2147483647;
                if gram <> all (found) then
                    found := found || gram;
                end if;
            end loop;
        end loop;
    end loop;
    return found;
end $$
"""
"""All grams of some texts. In PL/pgSQL: a function in SQL that selects costs ten times as much a row."""

TEXT_GRAMS_SOUGHT: Final = """
create function text_grams_sought(part text) returns int[]
language plpgsql stable parallel safe as $$
declare
    seed constant bigint := hashtextextended(current_setting('app.tenant_id', true), 0);
    size constant int := least(3, length(part));
    found int[] := '{}';
begin
    for start in 1 .. least(16, length(part) - size + 1) loop
        found := found || (hashtextextended(substr(part, start, size), seed) & 2147483647)::int;
    end loop;
    return found;
end $$
"""
"""The longest grams of a part, of the first that it has: more of them would find hardly fewer rows."""


def text_grams_column(name: str, *texts: str) -> "Column[Any]":
    """The grams of these columns, kept by PostgreSQL itself, whoever writes: a column of the table, not of its class."""
    expression = f"text_grams(tenant_id, {', '.join(texts)})"
    return Column(name, ARRAY(Integer), Computed(expression, persisted=True))


def text_grams_index(name: str, column: str) -> Index:
    """With a short list of what is new (see `keys_index`): a name has dozens of grams, and without one each is a way down the
    tree while it is written.
    """
    return Index(name, column, postgresql_using="gin", postgresql_with={"gin_pending_list_limit": 256})


def has_grams_of(grams: ColumnElement[Any], part: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a column of grams has those of a part, which is not empty."""
    # In a query of its own, which is run once: in the condition itself it would be for each row.
    return grams.bool_op("@>")(select(func.text_grams_sought(part)).scalar_subquery())
