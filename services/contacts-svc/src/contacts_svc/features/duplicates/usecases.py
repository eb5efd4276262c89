"""What can be asked about duplicates."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final, NamedTuple

from crm_kit.db.locks import lock_keys
from crm_kit.db.rows import new_row
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Forbidden, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.route import require
from crm_kit.resources import CreateCheck, access
from crm_kit.rights import EVERYTHING
from sqlalchemy import ColumnElement, false

from contacts_svc.features.contacts import repository as contacts
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.contacts.schemas import ContactWrite
from contacts_svc.features.contacts.usecases import write_members
from contacts_svc.features.duplicates import repository
from contacts_svc.features.duplicates.errors import DuplicateContacts
from contacts_svc.features.duplicates.events import UNPUBLISHED
from contacts_svc.features.duplicates.models import DuplicatePairRow
from contacts_svc.features.duplicates.repository import Compared
from contacts_svc.features.duplicates.schemas import Candidate, PairStatus, reasons
from contacts_svc.features.matching.rules.keys import key_number, match_keys
from contacts_svc.features.matching.rules.profile import Profile, profile_of
from contacts_svc.features.matching.rules.scoring import REPORTED_FROM, Assessment, assess
from contacts_svc.features.matching.rules.statistics import Statistics
from contacts_svc.features.matching.rules.weights import SHARED_BY_MANY

_MOST_COMPARED: Final = 200
"""Contacts, of those that share a key: the ones that share most."""

MOST_NAMED: Final = 20


class Found(NamedTuple):
    row: ContactRow
    said: Assessment


async def duplicates_of_contact(session: ReadSession, contact_id: str, *, least: float) -> list[Found] | None:
    """None where the caller sees the contact and not what identifies a person. Raises NotFound."""
    row = await CONTACTS.get(session, contact_id)
    if not _reads_identity(session, row.id):
        return None
    dismissed = await repository.dismissed_with(session, row.id)
    return [each for each in await duplicates_of(session, row, least=least) if each.row.id not in dismissed]


async def duplicates_of(session: ReadSession, row: ContactRow, *, least: float) -> list[Found]:
    """Contacts that score at least so much, the likeliest first."""
    named = await repository.companies(session, [row.account_id] if row.account_id is not None else [])
    (found,) = await duplicates_of_each(session, [Compared(row, named.get(row.account_id or ""))], least=least)
    return found


async def duplicates_of_each(
    session: ReadSession, looked_at: Sequence[Compared], *, least: float, among: bool = False
) -> list[list[Found]]:
    """Of each the contacts that score at least so much, the likeliest first. `among`: and those that stand before it.

    Left out is everybody of whom the caller does not read what identifies a person: a score tells of it.
    """
    profiles = [profile_of(each.row, each.company) for each in looked_at]
    keys = [{key_number(session.tenant_id, key): key for key in match_keys(profile)} for profile in profiles]
    holders = {number: list(held) for number, held in (await repository.holders(session, [*chain(*keys)])).items()}
    sought: list[list[str]] = []
    shared: list[Mapping[str, int]] = []
    for each, numbers in zip(looked_at, keys, strict=True):
        held = {number: holders[number] for number in numbers if number in holders}
        sought.append(_likeliest(held, each.row.id))
        shared.append({numbers[number]: len(ids) for number, ids in held.items()})
        for number in numbers if among else ():
            holders.setdefault(number, []).append(each.row.id)
    others = await _comparable(session, looked_at if among else (), {*chain(*sought)})
    statistics = await repository.statistics(session)
    return [
        _assessed(profile, [others[id_] for id_ in ids if id_ in others], replace(statistics, shared=counts), least)
        for profile, ids, counts in zip(profiles, sought, shared, strict=True)
    ]


async def _comparable(
    session: ReadSession, given: Sequence[Compared], ids: Collection[str]
) -> dict[str, tuple[ContactRow, Profile]]:
    """By id: those that are given, and those that are there and whose identity the caller reads."""
    found = {each.row.id: (each.row, profile_of(each.row, each.company)) for each in given}
    there = await repository.compared(session, [id_ for id_ in ids if id_ not in found])
    seen = {each.id for each in await CONTACTS.seen(session, [each.row for each in there])}
    for each in there:
        if each.row.id in seen and _reads_identity(session, each.row.id):
            found[each.row.id] = (each.row, profile_of(each.row, each.company))
    return found


def _assessed(
    profile: Profile, others: Iterable[tuple[ContactRow, Profile]], statistics: Statistics, least: float
) -> list[Found]:
    found = [Found(row, assess(profile, other, statistics)) for row, other in others]
    return sorted(
        (each for each in found if each.said.score >= least), key=lambda each: (-each.said.score, each.row.id)
    )


def _likeliest(holders: Mapping[int, Sequence[str]], except_id: str) -> list[str]:
    counts: dict[str, int] = {}
    for held in holders.values():
        if len(held) <= SHARED_BY_MANY:
            for id_ in held:
                counts[id_] = counts.get(id_, 0) + 1
    counts.pop(except_id, None)
    return sorted(counts, key=lambda id_: (-counts[id_], id_))[:_MOST_COMPARED]


def _reads_identity(session: ReadSession, contact_id: str) -> bool:
    """Whether the caller, who sees the contact, reads what identifies a person."""
    rights = session.sights.of(contact_id) if session.sights is not None else EVERYTHING
    return rights is not None and rights.reads("personal")


async def told_pairs(session: ReadSession) -> ColumnElement[bool]:
    """The pairs of whose both contacts the caller reads what identifies a person."""
    identifying = contacts.FIELDS.get("email")
    assert identifying is not None
    try:
        reached = await access.reached(session, CONTACTS, [identifying])
    except Forbidden:
        reached = false()
    return repository.among(reached)


async def set_status(session: WriteSession, row: DuplicatePairRow, status: PairStatus) -> None:
    """Dismissed ones are not told again, by any later scan either."""
    before = UNPUBLISHED.snapshot(row)
    row.status = status
    await UNPUBLISHED.updated(session, row, before)


async def refuse_duplicates(session: WriteSession, policy: str, data: ContactWrite, caller: Principal) -> None:
    """For one that is about to be created. Raises DuplicateContacts, ValidationFailed.

    Raises Forbidden for who may create and not read: the candidates are others' records.
    """
    if policy == "allow":
        return
    if policy != "refuse":
        detail = Text("Must be allow or refuse", "必须是 allow 或 refuse")
        raise ValidationFailed(detail, errors=[FieldError("?duplicates", "choice", detail)])
    require(caller, f"{CONTACTS.permission}:read")
    row = new_row(ContactRow, id="")
    write_members(session, row, data, caller)
    # Who creates the same person at the same time, and asks for this too, waits and then finds it.
    await lock_keys(session, "contact.match", map(str, row.match_keys or ()))
    found = await duplicates_of(session, row, least=REPORTED_FROM)
    if found:
        raise probably([candidate_of(each) for each in found[:MOST_NAMED]])


def candidate_of(found: Found) -> Candidate:
    return Candidate(id=found.row.id, score=round(found.said.score, 4), why=reasons(found.said))


def probably(candidates: Sequence[Candidate], text: Text | None = None) -> DuplicateContacts:
    """The likeliest first. `text`: where it says more than the id of the first."""
    first = candidates[0].id
    return DuplicateContacts(
        text or Text(f"It is probably {first}.", f"很可能是 {first}。"),
        members={"candidates": [each.model_dump(mode="json") for each in candidates]},
    )


REFUSE_DUPLICATES: Final = CreateCheck(
    parameter={
        "name": "duplicates",
        "in": "query",
        "required": False,
        "schema": {"type": "string", "enum": ["allow", "refuse"], "default": "allow"},
        "description": "`refuse`: answer 409 and the candidates where there are contacts that are probably this one",
    },
    check=refuse_duplicates,
)
