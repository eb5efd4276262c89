"""The tag rules, for the contacts that follow them."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from crm_kit.conditions import FieldSet, InvalidCondition
from crm_kit.db.locks import lock_keys
from crm_kit.db.models import EntityRow, columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.db.standing import Standing

from contacts_svc.features.assignment.rules import stored_condition
from contacts_svc.features.declaring.repository import declared_for
from contacts_svc.features.tagging.rules import ActiveTagRule, TagCycle, in_order

_SPACE: Final = "tag_rules"
_ACTIVE: Final = Sql(
    'select id, name, tag, "where"::text as condition, time_zone from tag_rule where active order by id'
)

TagRules = Standing[Sequence[ActiveTagRule]]


async def lock_tag_rules(session: WriteSession) -> None:
    """Waits for every contact that is being tagged; until the transaction ends no other is."""
    await lock_keys(session, _SPACE, [""])


async def tag_fields(session: ReadSession, row: type[EntityRow], fields: FieldSet) -> FieldSet:
    """What rules may name: `fields`, and the custom fields that the tenant has declared."""
    return (await session.known(declared_for("contacts"))).among(fields, columns(row).custom)


@cache
def standing_tag_rules(row: type[EntityRow], fields: FieldSet) -> TagRules:
    """Those that are active, in the order in which they are asked. `row` and `fields`: of contacts."""

    async def load(session: ReadSession) -> Sequence[ActiveTagRule]:
        rules = await active_tag_rules(session, await tag_fields(session, row, fields))
        try:
            return in_order(rules)
        except TagCycle:  # which a release must have let pass that reads conditions otherwise
            return rules

    return Standing(_SPACE, "", "tag_rules_mark", load)


async def active_tag_rules(session: ReadSession, fields: FieldSet, *, but: str = "") -> list[ActiveTagRule]:
    """`fields`: of `tag_fields`. `but`: without the rule of this id."""
    return [rule for row in await session.fetch(_ACTIVE, {}) if row["id"] != but for rule in _read(row, fields)]


def _read(row: Any, fields: FieldSet) -> Iterator[ActiveTagRule]:
    """None where it speaks of what this release does not know: that must keep nobody from writing."""
    try:
        condition = stored_condition(fields, row["condition"])
        rule = ActiveTagRule.of(row["id"], row["name"], row["tag"], condition, row["time_zone"])
    except (InvalidCondition, LookupError):
        return
    yield rule
