"""What can be done with an account."""

from collections.abc import Mapping, Sequence

from crm_contracts.contacts import Account
from crm_contracts.ids import AccountId
from crm_kit.db.models import utc_now
from crm_kit.db.rows import new_row
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.resources import Matcher, given
from crm_kit.resources.tree import check_parent
from pydantic import JsonValue

from contacts_svc.features.accounts import repository
from contacts_svc.features.accounts.errors import AccountExternalIdTaken
from contacts_svc.features.accounts.events import ACCOUNT_EVENTS
from contacts_svc.features.accounts.models import AccountRow
from contacts_svc.features.accounts.schemas import AccountWrite
from contacts_svc.features.assignment.repository import standing_territories
from contacts_svc.features.assignment.rules import follow
from contacts_svc.features.contacts import rules as contact_rules
from contacts_svc.features.declaring.repository import declared_for
from contacts_svc.features.external_ids.rules import external_keys
from contacts_svc.features.relating.usecases import forget_end
from contacts_svc.features.stages.repository import STAGES
from contacts_svc.features.validating.repository import standing_rules
from contacts_svc.features.validating.usecases import refuse_broken

_LABEL = Text("account", "客户公司")
_CUSTOM_FIELDS = declared_for("accounts")
_TERRITORIES = standing_territories("accounts", AccountRow, repository.FIELDS)
_RULES = standing_rules("accounts", AccountRow, repository.FIELDS)


async def create_account(session: WriteSession, data: AccountWrite, caller: Principal) -> Account:
    row = new_row(AccountRow, id=AccountId.new(), name=data.name)
    _write(row, data, caller.region)
    await session.hold(_CUSTOM_FIELDS, STAGES, _TERRITORIES, _RULES)
    row.custom = (await session.standing(_CUSTOM_FIELDS)).admitted(data.custom, None, now=utc_now())
    (await session.standing(STAGES)).start(row, data.lifecycle_stage, data.lifecycle_reason)
    await _check(session, row, (), parent_changed=True)
    follow(row, await session.standing(_TERRITORIES), now=utc_now())
    await refuse_broken(session, _RULES, row, None)
    account = await ACCOUNT_EVENTS.created(session, row)
    repository.note_account(session, row.id, is_there=True)
    repository.note_keys(session, row.id, repository.Keys(), repository.Keys.of(row))
    return account


async def update_account(session: WriteSession, row: AccountRow, data: AccountWrite, caller: Principal) -> None:
    before, keys = ACCOUNT_EVENTS.snapshot(row), repository.Keys.of(row)
    _write(row, data, caller.region)
    await session.hold(_CUSTOM_FIELDS, STAGES, _TERRITORIES, _RULES)
    row.custom = (await session.standing(_CUSTOM_FIELDS)).admitted(data.custom, before.custom, now=utc_now())
    moved = (await session.standing(STAGES)).move(
        row, data.lifecycle_stage, data.lifecycle_reason, now=utc_now(), actor_id=caller.subject
    )
    await _check(session, row, keys.external, parent_changed=row.parent_id != before.parent_id)
    follow(row, await session.standing(_TERRITORIES), now=utc_now())
    await refuse_broken(session, _RULES, row, before)
    await ACCOUNT_EVENTS.updated(session, row, before, action="lifecycle_changed" if moved else "updated")
    repository.note_keys(session, row.id, keys, repository.Keys.of(row))


async def delete_account(session: WriteSession, row: AccountRow, _caller: Principal) -> None:
    """What referred to it stays and shows the reference as unresolved; its relationships go with it."""
    await ACCOUNT_EVENTS.deleted(session, row)
    await forget_end(session, row.id)
    repository.note_account(session, row.id, is_there=False)
    repository.note_keys(session, row.id, repository.Keys.of(row), repository.Keys())


def _write(row: AccountRow, data: AccountWrite, region: str) -> None:
    row.phone = _phone(data.phone, region)
    row.external_ids = dict(data.external_ids)
    row.external_keys = external_keys(data.external_ids)
    row.address = data.address.model_dump(mode="json") if data.address else None
    row.tags = contact_rules.unique(data.tags)
    row.shares = [share.model_dump(mode="json") for share in data.shares]
    for field in ("name", "domain", "industry", "size", "parent_id", "owner_id", "team_id"):
        setattr(row, field, getattr(data, field))


def _phone(number: str | None, region: str) -> str | None:
    try:
        return contact_rules.normalise_phone(number, region) if number is not None else None
    except contact_rules.InvalidPhone:
        detail = Text(
            "Must be a valid phone number, best with its country code", "必须是有效的电话号码，最好带国家代码"
        )
        raise ValidationFailed(detail, errors=[FieldError("/phone", "phone", detail)]) from None


async def _check(session: WriteSession, row: AccountRow, had: Sequence[str], *, parent_changed: bool) -> None:
    if parent_changed:
        await check_parent(session, row, _LABEL)
    held = await repository.EXTERNAL_KEYS.of(session, [key for key in row.external_keys if key not in had])
    holders = sorted({id_ for ids in held.values() for id_ in ids if id_ != row.id})
    if holders:
        raise AccountExternalIdTaken(
            Text(f"{holders[0]} has it.", f"{holders[0]} 已使用该标识。"), members={"account_id": holders[0]}
        )


async def foresee(session: WriteSession, accounts: Sequence[AccountWrite]) -> None:
    """What `create_account` looks up of each, for all of them."""
    await repository.EXTERNAL_KEYS.of(session, [key for data in accounts for key in external_keys(data.external_ids)])


def _domain_keys(data: Mapping[str, JsonValue], _caller: Principal) -> Sequence[str]:
    domain = given(AccountWrite, data, "domain", name="-").domain
    assert domain is not None, "`given` has looked"
    return [domain]


def _external_keys(data: Mapping[str, JsonValue], _caller: Principal) -> Sequence[str]:
    return external_keys(given(AccountWrite, data, "external_ids", name="-").external_ids)


MATCHERS: Mapping[str, Matcher[Account]] = {
    "domain": Matcher(_domain_keys, repository.DOMAINS.of, lambda one: [one.domain] if one.domain is not None else []),
    "external_id": Matcher(
        _external_keys,
        repository.EXTERNAL_KEYS.of,
        lambda one: external_keys(one.external_ids),
    ),
}
