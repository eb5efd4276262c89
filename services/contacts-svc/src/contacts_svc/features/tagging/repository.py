"""The tag rules, for the contacts that follow them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from crm_kit.conditions import FieldSet, InvalidCondition
from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.db.standing import Standing

from contacts_svc.features.assignment.rules import stored_condition
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.repository import FIELDS as CONTACT_FIELDS
from contacts_svc.features.declaring.repository import declared_for
from contacts_svc.features.facts.repository import fact_fields
from contacts_svc.features.tagging.rules import ActiveTagRule, TagCycle, in_order, taggable

_SPACE: Final = "tag_rules"
_ACTIVE: Final = Sql(
    'select id, name, tag, "where"::text as condition, time_zone from tag_rule where active order by id'
)

_c = columns(ContactRow)
FIELDS: Final = taggable(CONTACT_FIELDS, fact_fields(_c.id))
"""What rules may name, without the custom fields."""


async def lock_tag_rules(session: WriteSession) -> None:
    """Waits for every contact that is being tagged; until the transaction ends no other is."""
    await lock_keys(session, _SPACE, [""])


async def tag_fields(session: ReadSession) -> FieldSet:
    """What rules may name, with the custom fields that the tenant has declared."""
    return (await session.known(declared_for("contacts"))).among(FIELDS, _c.custom)


async def active_tag_rules(session: ReadSession, *, but: str = "") -> list[ActiveTagRule]:
    """`but`: without the rule of this id."""
    fields = await tag_fields(session)
    return [rule for row in await session.fetch(_ACTIVE, {}) if row["id"] != but for rule in _read(row, fields)]


def _read(row: Any, fields: FieldSet) -> Iterator[ActiveTagRule]:
    """None where it speaks of what this release does not know: that must keep nobody from writing."""
    try:
        condition = stored_condition(fields, row["condition"])
        rule = ActiveTagRule.of(row["id"], row["name"], row["tag"], condition, row["time_zone"])
    except (InvalidCondition, LookupError):
        return
    yield rule


async def _load(session: ReadSession) -> Sequence[ActiveTagRule]:
    rules = await active_tag_rules(session)
    try:
        return in_order(rules)
    except TagCycle:  # which a release must have let pass that reads conditions otherwise
        return rules


TAG_RULES: Final[Standing[Sequence[ActiveTagRule]]] = Standing(_SPACE, "", "tag_rules_mark", _load)
"""Those that are active, in the order in which they are asked."""
