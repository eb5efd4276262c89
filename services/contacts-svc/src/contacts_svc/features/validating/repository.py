"""The rules, for the records that are held against them."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import orjson
from crm_contracts.custom_fields import LocalText
from crm_contracts.validation_rules import ValidatedResource
from crm_kit.conditions import FieldSet, InvalidCondition, comparisons_in
from crm_kit.db.locks import lock_keys
from crm_kit.db.models import EntityRow, columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.db.standing import Standing
from crm_kit.errors import Text

from contacts_svc.features.assignment.rules import stored_condition
from contacts_svc.features.declaring.repository import declared_for
from contacts_svc.features.validating.rules import ActiveRule

_SPACE = "validation_rules"
_ACTIVE = Sql(
    'select id, code, message::text as message, condition::text as condition, "when"::text as when, field'
    " from validation_rule where resource = :resource and active order by id"
)


async def lock_rules(session: WriteSession) -> None:
    """Waits for every record that is being judged; until the transaction ends no other is."""
    await lock_keys(session, _SPACE, [""])


async def validated_fields(
    session: ReadSession, resource: ValidatedResource, row: type[EntityRow], fields: FieldSet
) -> FieldSet:
    """What a rule may name: the resource's `fields`, and those that the tenant has declared."""
    return (await session.known(declared_for(resource))).among(fields, columns(row).custom)


@cache
def standing_rules(
    resource: ValidatedResource, row: type[EntityRow], fields: FieldSet
) -> Standing[Sequence[ActiveRule]]:
    """Those that are active, for records that are being written. `row` and `fields` are the resource's."""

    async def load(session: ReadSession) -> Sequence[ActiveRule]:
        known = await validated_fields(session, resource, row, fields)
        rows = await session.fetch(_ACTIVE, {"resource": resource})
        return [rule for each in rows for rule in _active(each, known)]

    return Standing(_SPACE, resource, "validation_rules_mark", load)


def _active(row: Any, fields: FieldSet) -> Iterator[ActiveRule]:
    """None where it speaks of what this release does not know: that must keep nobody from writing."""
    try:
        condition = stored_condition(fields, row["condition"])
        when = stored_condition(fields, row["when"]) if row["when"] is not None else None
    except InvalidCondition:
        return
    told = LocalText.model_validate(orjson.loads(row["message"]))
    message = Text(told.en or told.zh or "", told.zh or told.en or "")
    at = fields.get(row["field"]) if row["field"] else next((test.field for test in comparisons_in(condition)), None)
    yield ActiveRule(row["id"], row["code"], message, condition, when, at)
