"""Entities that form a tree by `parent_id`."""

from typing import Final

from sqlalchemy import literal, select

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import EntityRow, columns
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed

MAX_DEPTH: Final = 20


async def lock_tree(session: WriteSession, row: EntityRow) -> None:
    """Until the transaction ends nobody else moves anything in the tenant's tree of such rows."""
    await lock_keys(session, "tree", [columns(type(row)).id.table.name])


async def check_parent(session: WriteSession, row: EntityRow, label: Text) -> None:
    """The row's `parent_id`, where it has one, exists, is no descendant, and not too deep. Raises ValidationFailed.

    Moves within a tenant's tree wait for one another: two, each fine by itself, could close a circle together.
    """
    table = columns(type(row))
    parent_id: str | None = row.parent_id  # type: ignore[attr-defined]  # what makes it part of a tree
    if parent_id is None:
        return
    await lock_tree(session, row)
    up = select(table.id, table.parent_id, literal(1).label("depth")).where(table.id == parent_id).cte(recursive=True)
    above = select(table.id, table.parent_id, up.c.depth + 1).where(table.id == up.c.parent_id, up.c.depth < MAX_DEPTH)
    ancestors = list(await session.scalars(select(up.union_all(above).c.id)))
    if not ancestors:
        raise _fault("not_found", Text(f"There is no such {label.en}", f"不存在该{label.zh}"))
    if row.id in ancestors:
        raise _fault("cycle", Text("Nothing can be its own ancestor", "不能成为自己的上级"))
    if len(ancestors) >= MAX_DEPTH:
        raise _fault("too_deep", Text(f"At most {MAX_DEPTH} levels", f"最多 {MAX_DEPTH} 层"))


def _fault(code: str, detail: Text) -> ValidationFailed:
    return ValidationFailed(detail, errors=[FieldError("/parent_id", code, detail)])
