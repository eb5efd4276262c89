"""What can be done with a custom field. No declaration changes the schema of the database."""

from typing import Any

from crm_contracts.custom_fields import CustomField
from crm_contracts.ids import CustomFieldId
from crm_kit.custom_fields import lock_custom_fields
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.rights import CUSTOM

from contacts_svc.features.custom_fields import repository
from contacts_svc.features.custom_fields.errors import CustomFieldInUse, CustomFieldNameTaken, TooManyCustomFields
from contacts_svc.features.custom_fields.events import CUSTOM_FIELD_EVENTS
from contacts_svc.features.custom_fields.rules import MAX_FIELDS, faults_of_declaration
from contacts_svc.features.custom_fields.schemas import CustomFieldWrite
from contacts_svc.features.date_reminders.repository import reminders_of
from contacts_svc.features.declaring.models import CustomFieldRow


async def declare_custom_field(session: WriteSession, data: CustomFieldWrite, _caller: Principal) -> CustomField:
    """What is written from the answer on is held against it. Raises CustomFieldNameTaken, TooManyCustomFields."""
    row = CustomFieldRow(id=CustomFieldId.new(), version=1, **_columns(data))
    _check(row, None)
    await lock_custom_fields(session)
    if (holder := await repository.with_name(session, data.resource, data.name)) is not None:
        raise CustomFieldNameTaken(
            Text(f"{holder} has it.", f"{holder} 已使用该名称。"), members={"custom_field_id": holder}
        )
    if await repository.count(session, data.resource) >= MAX_FIELDS:
        raise TooManyCustomFields(
            Text(
                f"At most {MAX_FIELDS} fields of {data.resource} can be declared.",
                f"{data.resource} 最多可声明 {MAX_FIELDS} 个字段。",
            )
        )
    return await CUSTOM_FIELD_EVENTS.created(session, row)


async def update_custom_field(
    session: WriteSession, row: CustomFieldRow, data: CustomFieldWrite, _caller: Principal
) -> None:
    """Records that do not keep to it stay as they are; who changes such a value is held to it."""
    before = CUSTOM_FIELD_EVENTS.snapshot(row)
    for name, value in _columns(data).items():
        setattr(row, name, value)
    _check(row, before)
    await lock_custom_fields(session)
    await CUSTOM_FIELD_EVENTS.updated(session, row, before)


async def delete_custom_field(session: WriteSession, row: CustomFieldRow, _caller: Principal) -> None:
    """Records keep their values, as those of a field that nobody declared. Raises CustomFieldInUse."""
    await lock_custom_fields(session)
    if naming := await repository.territories_naming(session, row.resource, row.name):
        raise CustomFieldInUse(
            Text(f"{len(naming)} territories name it.", f"有 {len(naming)} 个区域使用该字段。"),
            members={"territory_ids": list(naming[:20])},
        )
    if reminding := await reminders_of(session, row.resource, f"{CUSTOM}.{row.name}"):
        raise CustomFieldInUse(
            Text(f"{len(reminding)} date reminders name it.", f"有 {len(reminding)} 个日期提醒使用该字段。"),
            members={"date_reminder_ids": list(reminding[:20])},
        )
    if naming := await repository.rules_naming(session, row.resource, row.name):
        raise CustomFieldInUse(
            Text(f"{len(naming)} validation rules name it.", f"有 {len(naming)} 条校验规则使用该字段。"),
            members={"validation_rule_ids": list(naming[:20])},
        )
    if naming := await repository.retention_rules_naming(session, row.resource, row.name):
        raise CustomFieldInUse(
            Text(f"{len(naming)} retention rules name it.", f"有 {len(naming)} 条保留期限规则使用该字段。"),
            members={"retention_rule_ids": list(naming[:20])},
        )
    if row.resource == "contacts" and (naming := await repository.tag_rules_naming(session, row.name)):
        raise CustomFieldInUse(
            Text(f"{len(naming)} tag rules name it.", f"有 {len(naming)} 条标签规则使用该字段。"),
            members={"tag_rule_ids": list(naming[:20])},
        )
    await CUSTOM_FIELD_EVENTS.deleted(session, row)


def _columns(data: CustomFieldWrite) -> dict[str, Any]:
    written = data.model_dump(mode="json", exclude={"default"}, exclude_none=True)
    return {name: written.get(name) for name in CustomFieldWrite.model_fields} | {"default": data.default}


def _check(row: CustomFieldRow, before: CustomField | None) -> None:
    """Raises ValidationFailed."""
    faults = list(faults_of_declaration(CUSTOM_FIELD_EVENTS.snapshot(row), before, utc_now()))
    if faults:
        raise ValidationFailed(
            Text("The declaration is not valid; see errors.", "声明无效，见 errors。"), errors=faults
        )
