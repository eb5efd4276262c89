"""A schema as PostgreSQL knows it, and what a process of the release before would break on in a later one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

_COLUMNS: Final = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.atthasdef or a.attidentity <> '' or a.attgenerated <> '' as has_default
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
"""
_RULES: Final = """
select r.conrelid::regclass::text, pg_get_constraintdef(r.oid) from pg_constraint r
 where r.connamespace = 'public'::regnamespace and r.conrelid <> 0 and r.contype in ('c', 'f', 'x')
union all
select i.indrelid::regclass::text, regexp_replace(pg_get_indexdef(i.indexrelid), ' INDEX \\S+ ON ', ' INDEX ON ')
  from pg_index i join pg_class c on c.oid = i.indrelid
 where c.relnamespace = 'public'::regnamespace and i.indisunique
"""
_FUNCTIONS: Final = """
select p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', pg_get_function_result(p.oid)
  from pg_proc p where p.pronamespace = 'public'::regnamespace
"""
_PRIVILEGES: Final = """
select c.relname, a.privilege_type || ' for ' || pg_get_userbyid(a.grantee)
  from pg_class c cross join lateral aclexplode(c.relacl) a
 where c.relnamespace = 'public'::regnamespace and a.grantee <> c.relowner
"""


@dataclass(frozen=True, slots=True)
class Column:
    type: str
    is_required: bool
    has_default: bool


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Tables and views by name, what restrains their rows, who may do what with them, and functions with their results."""

    columns: Mapping[str, Mapping[str, Column]]
    rules: frozenset[tuple[str, str]]
    privileges: frozenset[tuple[str, str]]
    functions: Mapping[str, str]


def catalogue_of(connection: Connection) -> Catalogue:
    columns: dict[str, dict[str, Column]] = {}
    for table, name, kind, is_required, has_default in connection.execute(text(_COLUMNS)):
        columns.setdefault(table, {})[name] = Column(kind, is_required, has_default)
    return Catalogue(
        columns,
        frozenset((table, rule) for table, rule in connection.execute(text(_RULES))),
        frozenset((table, privilege) for table, privilege in connection.execute(text(_PRIVILEGES))),
        {str(name): str(result) for name, result in connection.execute(text(_FUNCTIONS))},
    )


def breaks(before: Catalogue, after: Catalogue) -> Iterator[str]:
    """What there was and is no more, or holds for rows of which the release before knows nothing. Pure."""
    for table, columns in before.columns.items():
        if table in after.columns:
            yield from _of_table(table, columns, after.columns[table])
        else:
            yield f"{table}: has gone"
    for table, rule in sorted(after.rules - before.rules):
        if table in before.columns:
            yield f"{table}: is new: {rule}"
    for table, privilege in sorted(before.privileges - after.privileges):
        if table in after.columns:
            yield f"{table}: {privilege} has gone"
    for name, result in before.functions.items():
        if after.functions.get(name) != result:
            yield f"{name}: has gone, or gives another result"


def _of_table(table: str, before: Mapping[str, Column], after: Mapping[str, Column]) -> Iterator[str]:
    for name, column in before.items():
        if name in after:
            yield from _changed(f"{table}.{name}", column, after[name])
        else:
            yield f"{table}.{name}: has gone"
    for name in after.keys() - before.keys():
        if after[name].is_required and not after[name].has_default:
            yield f"{table}.{name}: is new and required, and has no default"


def _changed(name: str, before: Column, after: Column) -> Iterator[str]:
    if after.type != before.type:
        yield f"{name}: was {before.type}, is {after.type}"
    if after.is_required and not before.is_required:
        yield f"{name}: has become required"
    if before.is_required and not after.is_required:
        yield f"{name}: may have become null, which the release before does not expect"
    if before.has_default and not after.has_default:
        yield f"{name}: has lost its default"
