"""Entities that form a tree by `parent_id`."""

from typing import Final

from sqlalchemy import func, literal, select

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import EntityRow, columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed

MAX_DEPTH: Final = 20


async def lock_tree(session: WriteSession, row: EntityRow) -> None:
    """Until the transaction ends nobody else moves anything in the tenant's tree of such rows."""
    await lock_keys(session, "tree", [columns(type(row)).id.table.name])


async def check_parent(session: WriteSession, row: EntityRow, label: Text) -> None:
    """The row's `parent_id`, where it has one, exists, is no descendant, and not too deep. Raises ValidationFailed.

    Moves within a tenant's tree wait for one another: two, each fine by itself, could close a circle together.
    """
    parent_id: str | None = row.parent_id  # type: ignore[attr-defined]  # what makes it part of a tree
    if parent_id is None:
        return
    await lock_tree(session, row)
    ancestors = await ancestors_of(session, row)
    if not ancestors:
        raise _fault("not_found", Text(f"There is no such {label.en}", f"不存在该{label.zh}"))
    if row.id in ancestors:
        raise _fault("cycle", Text("Nothing can be its own ancestor", "不能成为自己的上级"))
    if len(ancestors) + 1 + await _height(session, row) > MAX_DEPTH:
        raise _fault("too_deep", Text(f"At most {MAX_DEPTH} levels", f"最多 {MAX_DEPTH} 层"))


async def ancestors_of(session: ReadSession, row: EntityRow) -> list[str]:
    """The ids of those above it, the nearest first; one that is not there ends them."""
    table = columns(type(row))
    first = table.id == row.parent_id  # type: ignore[attr-defined]  # what makes it part of a tree
    up = select(table.id, table.parent_id, literal(1).label("depth")).where(first).cte(recursive=True)
    above = select(table.id, table.parent_id, up.c.depth + 1).where(table.id == up.c.parent_id, up.c.depth < MAX_DEPTH)
    found = up.union_all(above)
    return list(await session.scalars(select(found.c.id).order_by(found.c.depth)))


async def _height(session: WriteSession, row: EntityRow) -> int:
    """How many levels are beneath it: they move along."""
    if row.version == 0:  # it is being made
        return 0
    table = columns(type(row))
    down = select(table.id, literal(1).label("depth")).where(table.parent_id == row.id).cte(recursive=True)
    below = select(table.id, down.c.depth + 1).where(table.parent_id == down.c.id, down.c.depth < MAX_DEPTH)
    return await session.scalar(select(func.max(down.union_all(below).c.depth))) or 0


def _fault(code: str, detail: Text) -> ValidationFailed:
    return ValidationFailed(detail, errors=[FieldError("/parent_id", code, detail)])
