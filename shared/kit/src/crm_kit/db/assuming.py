"""A single statement that writes only where what its use case has assumed still stands."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import asyncpg

from crm_kit.db.standing import Standing

NOBODY_KNOWS: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""The statement's end was not heard of."""


def begun_where_stands(functions: Sequence[str]) -> str:
    """SQL that begins a transaction of `:tenant` that writes, and is true, where each of these functions still gives its mark."""
    begin = "begin_for_tenant(:tenant, false)"
    for number, function in reversed(list(enumerate(functions))):  # one after the other: of AND no order is promised
        stands = f"{function}(:tenant, :lock_{number}, :of_{number}) = :mark_{number}"
        begin = f"case when {stands} then {begin} else false end"
    return begin


Assumed = tuple[tuple[Standing[Any], str], ...]
"""Each with its mark, in the order of their locks."""


def assumed_values(tenant_id: str, assumed: Iterable[tuple[Standing[Any], str]]) -> dict[str, Any]:
    """What `begun_where_stands` of their functions takes, but for the tenant."""
    values: dict[str, Any] = {}
    for number, (standing, mark) in enumerate(assumed):
        lock = standing.lock(tenant_id)
        values |= {f"lock_{number}": lock, f"of_{number}": standing.of, f"mark_{number}": mark}
    return values
