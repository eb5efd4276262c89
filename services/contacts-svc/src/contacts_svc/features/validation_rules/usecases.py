"""What can be done with a validation rule. Records that break a new one stay as they are."""

from collections.abc import Mapping
from typing import Any, Final

from crm_contracts.ids import ValidationRuleId
from crm_contracts.validation_rules import ValidatedResource, ValidationRule
from crm_kit.conditions import InvalidCondition, parse
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.route import require
from crm_kit.resources import Resource, Walk, condition_problem

from contacts_svc.features.accounts.resource import ACCOUNTS
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.declaring.repository import declared_for
from contacts_svc.features.validating.models import ValidationRuleRow
from contacts_svc.features.validating.repository import lock_rules, validated_fields
from contacts_svc.features.validation_rules import repository
from contacts_svc.features.validation_rules.errors import TooManyValidationRules
from contacts_svc.features.validation_rules.events import VALIDATION_RULE_EVENTS
from contacts_svc.features.validation_rules.rules import MAX_ACTIVE, breaking
from contacts_svc.features.validation_rules.schemas import BrokenBy, BrokenByWrite, ValidationRuleWrite

RESOURCES: Final[Mapping[ValidatedResource, Resource[Any, Any, Any]]] = {"contacts": CONTACTS, "accounts": ACCOUNTS}

_SAMPLE: Final = 20


async def create_rule(session: WriteSession, data: ValidationRuleWrite, _caller: Principal) -> ValidationRule:
    """What is written from the answer on is held against it. Raises ValidationFailed, TooManyValidationRules."""
    row = ValidationRuleRow(id=ValidationRuleId.new(), version=1, **data.model_dump(mode="json"))
    await _check(session, row.id, data)
    return await VALIDATION_RULE_EVENTS.created(session, row)


async def update_rule(
    session: WriteSession, row: ValidationRuleRow, data: ValidationRuleWrite, _caller: Principal
) -> None:
    """Raises ValidationFailed, TooManyValidationRules."""
    before = VALIDATION_RULE_EVENTS.snapshot(row)
    await _check(session, row.id, data)
    for name, value in data.model_dump(mode="json").items():
        setattr(row, name, value)
    await VALIDATION_RULE_EVENTS.updated(session, row, before)


async def delete_rule(session: WriteSession, row: ValidationRuleRow, _caller: Principal) -> None:
    await lock_rules(session)
    await VALIDATION_RULE_EVENTS.deleted(session, row)


async def broken_by(session: WriteSession, data: BrokenByWrite, caller: Principal) -> BrokenBy:
    """How many of the records that the caller sees break a rule. Raises ValidationFailed, Forbidden."""
    resource = RESOURCES[data.resource]
    require(caller, f"{resource.permission}:read")
    await _parse(session, data)
    walk = await Walk.of(session, resource, breaking(data.condition, data.when), (), utc_now())
    found = await walk.size(session)
    return BrokenBy(found=found, sample=[row.id for row in (await walk.page(session, None, _SAMPLE)).rows])


async def _check(session: WriteSession, rule_id: str, data: ValidationRuleWrite) -> None:
    """Until the transaction ends no record is judged by the rules that there were."""
    await session.standing(declared_for(data.resource))  # no field goes until the rule that names it is there
    await _parse(session, data)
    resource = RESOURCES[data.resource]
    fields = await validated_fields(session, data.resource, resource.row, resource.fields)
    if data.field is not None and fields.get(data.field) is None:
        text = Text(f"{data.resource} have no such field", f"{resource.label.zh}没有该字段")
        raise ValidationFailed(text, errors=[FieldError("/field", "unknown_field", text)])
    await lock_rules(session)
    if data.active and await repository.count_active(session, data.resource, rule_id) >= MAX_ACTIVE:
        raise TooManyValidationRules(
            Text(
                f"At most {MAX_ACTIVE} rules of {data.resource} can be active.",
                f"{data.resource} 最多可启用 {MAX_ACTIVE} 条规则。",
            )
        )


async def _parse(session: WriteSession, data: BrokenByWrite) -> None:
    """Raises ValidationFailed, with the place of every fault."""
    resource = RESOURCES[data.resource]
    fields = await validated_fields(session, data.resource, resource.row, resource.fields)
    for name, condition in (("condition", data.condition), ("when", data.when)):
        if condition is None:
            continue
        try:
            parse(condition, fields, f"/{name}")
        except InvalidCondition as error:
            raise condition_problem(error) from error
