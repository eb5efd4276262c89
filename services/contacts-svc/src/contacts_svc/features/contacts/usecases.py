"""What can be done with a contact."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from crm_contracts.contacts import Contact
from crm_contracts.ids import ContactId
from crm_kit.db.models import utc_now
from crm_kit.db.rows import new_row
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.resources import Matcher, given
from pydantic import JsonValue

from contacts_svc.features.accounts.repository import account_exists, look_up_accounts
from contacts_svc.features.assignment.repository import standing_territories
from contacts_svc.features.assignment.rules import follow
from contacts_svc.features.contacts import repository, rules
from contacts_svc.features.contacts.errors import ExternalIdTaken, ProcessingRestricted
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.repository import TAG_RULES
from contacts_svc.features.contacts.schemas import ContactWrite, PhoneWrite
from contacts_svc.features.declaring.repository import declared_for
from contacts_svc.features.external_ids.rules import external_key, external_keys
from contacts_svc.features.holding.usecases import refuse_deleting
from contacts_svc.features.matching.rules.keys import key_numbers
from contacts_svc.features.matching.rules.profile import profile_of
from contacts_svc.features.pooling.usecases import keep_in_step
from contacts_svc.features.relating.usecases import forget_end
from contacts_svc.features.stages.repository import STAGES
from contacts_svc.features.stages.rules import put
from contacts_svc.features.tagging.usecases import keep_tagged
from contacts_svc.features.validating.repository import standing_rules
from contacts_svc.features.validating.usecases import refuse_broken

_OF_WORK: Final = frozenset(
    {"version", "updated_at", "owner_id", "team_id", "shares", "territory_id", "pool_id", "returns_at", "pool_history"}
)
_CUSTOM_FIELDS = declared_for("contacts")
_TERRITORIES = standing_territories("contacts", ContactRow, repository.FIELDS)
_RULES = standing_rules("contacts", ContactRow, repository.FIELDS)


async def create_contact(session: WriteSession, data: ContactWrite, caller: Principal) -> Contact:
    row = new_row(ContactRow, id=ContactId.new())
    write_members(session, row, data, caller)
    await session.hold(_CUSTOM_FIELDS, STAGES, TAG_RULES, _TERRITORIES, _RULES)
    row.custom = (await session.standing(_CUSTOM_FIELDS)).admitted(data.custom, None, now=utc_now())
    (await session.standing(STAGES)).start(row, data.lifecycle_stage, data.lifecycle_reason)
    await _check(session, row, (), account_changed=True)
    written = row.tags
    await keep_tagged(session, TAG_RULES, row, None, now=utc_now(), is_new=True)
    follow(row, await session.standing(_TERRITORIES), now=utc_now())
    await keep_in_step(session, row, None, caller)
    await refuse_broken(session, _RULES, row, None, {"tags": written})
    contact = await CONTACT_EVENTS.created(session, row)
    repository.note_keys(session, row.id, repository.Keys(), repository.Keys.of(row))
    return contact


async def update_contact(session: WriteSession, row: ContactRow, data: ContactWrite, caller: Principal) -> None:
    before = CONTACT_EVENTS.snapshot(row)
    await rewrite_contact(session, row, before, _with_followed_name(before, data), caller)


async def rewrite_contact(
    session: WriteSession,
    row: ContactRow,
    before: Contact,
    data: ContactWrite,
    caller: Principal,
    *,
    merging: Literal["merged", "unmerged"] | None = None,
) -> None:
    """All that is written becomes `data`. `merging`: stage and custom values were some contact's before, and are not judged."""
    keys = repository.Keys.of(row)
    row.other_external_ids = rules.displaced(before.external_ids, data.external_ids, row.other_external_ids)
    write_members(session, row, data, caller)
    await session.hold(_CUSTOM_FIELDS, STAGES, TAG_RULES, _TERRITORIES, _RULES)
    stored = before.custom if merging is None else data.custom
    row.custom = (await session.standing(_CUSTOM_FIELDS)).admitted(data.custom, stored, now=utc_now())
    stages, moved = await session.standing(STAGES), False
    if merging is None:
        moved = stages.move(row, data.lifecycle_stage, data.lifecycle_reason, now=utc_now(), actor_id=caller.subject)
    elif (stage := stages.standing_for(data.lifecycle_stage)) != row.lifecycle_stage:
        put(row, stage, data.lifecycle_reason, now=utc_now(), actor_id=caller.subject)
    await _check(session, row, keys.external, account_changed=row.account_id != before.account_id)
    written = row.tags
    await keep_tagged(session, TAG_RULES, row, before if merging is None else None, now=utc_now())
    follow(row, await session.standing(_TERRITORIES), now=utc_now())
    await keep_in_step(session, row, before, caller)
    _refuse_restricted(row, before)
    if merging != "unmerged":  # what is given back is what was there
        await refuse_broken(session, _RULES, row, before, {"tags": written})
    await CONTACT_EVENTS.updated(session, row, before, action=merging or ("lifecycle_changed" if moved else "updated"))
    repository.note_keys(session, row.id, keys, repository.Keys.of(row))


def _refuse_restricted(row: ContactRow, before: Contact) -> None:
    """Who has it may change while it is restricted, and that it is; nothing that says something of the person."""
    if before.restricted and row.restricted:
        after = CONTACT_EVENTS.snapshot(row)
        if any(getattr(after, name) != getattr(before, name) for name in Contact.model_fields.keys() - _OF_WORK):
            raise ProcessingRestricted


async def delete_contact(session: WriteSession, row: ContactRow, caller: Principal) -> None:
    """What others say of it stays and shows the reference as unresolved; its relationships go with it.

    Raises ProcessingRestricted, OnLegalHold.
    """
    await refuse_deleting(session, row.id, caller)
    await take_out(session, row)
    await forget_end(session, row.id)


async def take_out(session: WriteSession, row: ContactRow) -> None:
    """The contact is there no more: it is deleted, or merged into another."""
    await CONTACT_EVENTS.deleted(session, row)
    repository.note_keys(session, row.id, repository.Keys.of(row), repository.Keys())


def _with_followed_name(before: Contact, data: ContactWrite) -> ContactWrite:
    """Where only some parts of the name changed, the others follow instead of contradicting them."""
    parts_changed = (data.first_name, data.last_name) != (before.first_name, before.last_name)
    full_changed = data.full_name != before.full_name
    if full_changed and not parts_changed and data.full_name is not None:
        return data.model_copy(update={"first_name": None, "last_name": None})
    if parts_changed and not full_changed:
        return data.model_copy(update={"full_name": None})
    return data


def write_members(session: WriteSession, row: ContactRow, data: ContactWrite, caller: Principal) -> None:
    """All that is given, and what is looked up by. Raises ValidationFailed."""
    name = rules.complete_name(data.first_name, data.last_name, data.full_name)
    row.first_name, row.last_name, row.full_name = name
    row.emails = _emails(data)
    row.email_keys = rules.unique([rules.email_key(email["address"]) for email in row.emails])
    row.phones = normalised_phones(data.phones, caller.region)
    row.phone_numbers = rules.unique([phone["number"] for phone in row.phones])
    row.external_ids = dict(data.external_ids)
    others = [external_key(each["system"], each["id"]) for each in row.other_external_ids]
    row.external_keys = rules.unique([*external_keys(data.external_ids), *others])
    row.address = data.address.model_dump(mode="json") if data.address else None
    row.tags = rules.unique(data.tags)
    row.shares = [share.model_dump(mode="json") for share in data.shares]
    for field in (
        "wechat",
        "title",
        "account_id",
        "language",
        "birthday",
        "source",
        "owner_id",
        "team_id",
        "pool_id",
        "do_not_contact",
    ):
        setattr(row, field, getattr(data, field))
    row.match_keys = key_numbers(session.tenant_id, profile_of(row))


def _emails(data: ContactWrite) -> list[dict[str, Any]]:
    """Exactly one is primary: the one that says so, else the first."""
    emails = [email.model_dump(mode="json") for email in data.emails]
    if emails and not any(email["primary"] for email in emails):
        emails[0]["primary"] = True
    return emails


def normalised_phones(phones: Sequence[PhoneWrite], region: str) -> list[dict[str, Any]]:
    """As they are stored. Raises ValidationFailed with every number that could not be dialled."""
    faults: list[FieldError] = []
    normalised: list[dict[str, Any]] = []
    for index, phone in enumerate(phones):
        try:
            normalised.append({"number": rules.normalise_phone(phone.number, region), "label": phone.label})
        except rules.InvalidPhone:
            detail = Text(
                "Must be a valid phone number, best with its country code", "必须是有效的电话号码，最好带国家代码"
            )
            faults.append(FieldError(f"/phones/{index}/number", "phone", detail))
    if faults:
        raise ValidationFailed(Text("A phone number is not valid.", "电话号码无效。"), errors=faults)
    return normalised


async def _check(session: WriteSession, row: ContactRow, had: Sequence[str], *, account_changed: bool) -> None:
    if account_changed and row.account_id is not None and not await account_exists(session, row.account_id):
        detail = Text("There is no such account", "不存在该客户公司")
        raise ValidationFailed(detail, errors=[FieldError("/account_id", "not_found", detail)])
    await refuse_taken(session, row, had)


async def refuse_taken(session: WriteSession, row: ContactRow, had: Sequence[str] = ()) -> None:
    """Raises ExternalIdTaken where another contact has one of its external ids; those that it `had` are its own."""
    taken = [key for key in row.external_keys if key not in had]
    holder = await repository.holder_of_external_key(session, taken, row.id)
    if holder is not None:
        contact_id, key = holder
        raise ExternalIdTaken(
            Text(f"{contact_id} has {key}.", f"{contact_id} 已使用 {key}。"), members={"contact_id": contact_id}
        )


async def foresee(session: WriteSession, contacts: Sequence[ContactWrite]) -> None:
    """What `create_contact` looks up of each, for all of them."""
    await repository.EXTERNAL_KEYS.of(session, [key for data in contacts for key in external_keys(data.external_ids)])
    await look_up_accounts(session, {data.account_id for data in contacts if data.account_id is not None})


def _email_keys(data: Mapping[str, JsonValue], _caller: Principal) -> Sequence[str]:
    """The primary, or first, address."""
    written = given(ContactWrite, data, "emails").emails
    address = next((email.address for email in written if email.primary), written[0].address)
    return [rules.email_key(address)]


def _phone_keys(data: Mapping[str, JsonValue], caller: Principal) -> Sequence[str]:
    """The first number."""
    written = given(ContactWrite, data, "phones").phones
    number: str = normalised_phones(written[:1], caller.region)[0]["number"]
    return [number]


def _external_keys(data: Mapping[str, JsonValue], _caller: Principal) -> Sequence[str]:
    """Any external id."""
    return external_keys(given(ContactWrite, data, "external_ids").external_ids)


MATCHERS: Mapping[str, Matcher[Contact]] = {
    "email": Matcher(_email_keys, repository.EMAILS.of, lambda one: [rules.email_key(e.address) for e in one.emails]),
    "phone": Matcher(_phone_keys, repository.PHONES.of, lambda one: [phone.number for phone in one.phones]),
    "external_id": Matcher(_external_keys, repository.EXTERNAL_KEYS.of, lambda one: external_keys(one.external_ids)),
}
