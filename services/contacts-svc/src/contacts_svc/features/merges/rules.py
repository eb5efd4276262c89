"""What becomes of the members of contacts that are merged, and of one from which a merge is taken back. Pure."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from crm_contracts.contacts import Contact
from crm_contracts.ids import ContactId

from contacts_svc.features.contacts.rules import email_key

Json = dict[str, Any]

Choice = Literal["non_empty", "newest", "oldest", "all"]
"""Which contact's value counts: the survivor's or, where that is empty, of the others' that of the one changed last; that of the
contact changed last, or made first, that has one; or, of lists and maps, what any of them has.
"""

Rule = Choice | ContactId
"""Or a contact: what it has, and be it nothing."""

_NAME: Final = ("first_name", "last_name", "full_name")

_LIFECYCLE: Final = ("lifecycle_stage", "lifecycle_reason")

_SINGLE: Final = (
    "wechat",
    "title",
    "account_id",
    "address",
    "language",
    "birthday",
    "source",
    "owner_id",
    "team_id",
    "pool_id",
)
_TOGETHER: Final[Mapping[str, Sequence[str]]] = {"name": _NAME, "lifecycle_stage": _LIFECYCLE}
"""Members that only say something together, by the name of their rule."""

_LISTS: Final[Mapping[str, Callable[[Any], Hashable]]] = {
    "emails": lambda email: email_key(email["address"]),
    "phones": lambda phone: phone["number"],
    "tags": lambda tag: tag,
    "shares": lambda share: share["user_id"] or share["team_id"],
}
"""Each with what makes two of its elements the same."""

_MAPS: Final = ("external_ids", "custom")

TAKEN_TOGETHER: Final = frozenset((*_LISTS, *_MAPS))
"""Members of which all contacts' values can stand side by side."""

_STRICT: Final = ("do_not_contact",)
"""Members of which one contact's word counts for all."""

WRITTEN: Final = (*_NAME, *_LIFECYCLE, *_SINGLE, *_LISTS, *_MAPS, *_STRICT)
"""The members that a merge decides."""


def state_of(contact: Contact) -> Json:
    """Those members, as clients write them."""
    return contact.model_dump(mode="json", include=set(WRITTEN))


def combined(survivor: Contact, others: Sequence[Contact], rules: Mapping[str, Rule]) -> Json:
    """What the survivor holds after the merge.

    `rules`: by member, `name` for the three parts of the name, `lifecycle_stage` for stage and reason, `custom.<name>` for a custom
    field. A member without a rule takes all of lists and maps, and of others what is not empty.
    """
    contacts = [survivor, *others]
    states = {contact.id: state_of(contact) for contact in contacts}
    by_age = [contact.id for contact in sorted(contacts, key=lambda one: (one.created_at, one.id))]
    by_change = [contact.id for contact in sorted(contacts, key=lambda one: (one.updated_at, one.id), reverse=True)]
    survivor_first = [survivor.id, *(id_ for id_ in by_change if id_ != survivor.id)]
    orders: Mapping[str, Sequence[ContactId]] = {"newest": by_change, "oldest": by_age}

    def pick(rule: Rule, values: Mapping[ContactId, Any]) -> Any:
        if rule in values:
            return values[ContactId(rule)]
        order = orders.get(rule, survivor_first)
        return next((values[id_] for id_ in order if not _is_empty(values[id_])), values[survivor.id])

    result: Json = {}
    for name, members in _TOGETHER.items():
        parts = {id_: _parts(state, members) for id_, state in states.items()}
        result |= zip(members, pick(rules.get(name, "non_empty"), parts), strict=True)
    for member in (*_SINGLE, *_LISTS, *_MAPS):
        values = {id_: state[member] for id_, state in states.items()}
        rule = rules.get(member, "all" if member in TAKEN_TOGETHER else "non_empty")
        if rule != "all":
            result[member] = pick(rule, values)
        elif key := _LISTS.get(member):
            result[member] = _union([values[id_] for id_ in survivor_first], key)
        else:
            result[member] = {
                name: pick(
                    rules.get(f"{member}.{name}", "non_empty"), {id_: each.get(name) for id_, each in values.items()}
                )
                for name in dict.fromkeys(name for id_ in survivor_first for name in values[id_])
            }
    for member in _STRICT:
        result[member] = any(state[member] for state in states.values())
    result["emails"] = _with_one_primary(result["emails"])
    result["custom"] = {name: value for name, value in result["custom"].items() if value is not None}
    return result


def rebased(base: Json, present: Json, new_base: Json) -> Json:
    """What became of `base` since, made of `new_base` instead: what was changed, added or taken away stays so."""
    result: Json = dict(present)
    for members in _TOGETHER.values():
        if _parts(present, members) == _parts(base, members):
            result |= {member: new_base[member] for member in members}
    for member in (*_SINGLE, *_STRICT):
        if present[member] == base[member]:
            result[member] = new_base[member]
    for member, key in _LISTS.items():
        result[member] = (
            new_base[member]
            if present[member] == base[member]
            else _rebased_list(base[member], present[member], new_base[member], key)
        )
    result["emails"] = _with_one_primary(result["emails"])
    for member in _MAPS:
        result[member] = _rebased_map(base[member], present[member], new_base[member])
    return result


def other_external_ids(
    own: Mapping[str, str], contacts: Iterable[Contact], without: Iterable[Contact] = ()
) -> list[dict[str, str]]:
    """The external ids of these contacts for which `own` has no place, but for those of the contacts `without`."""
    found = {key for contact in contacts for key in _external_keys(contact)}
    found -= {key for contact in without for key in _external_keys(contact)}
    return [{"system": system, "id": id_} for system, id_ in sorted(found) if own.get(system) != id_]


def _external_keys(contact: Contact) -> list[tuple[str, str]]:
    return [*contact.external_ids.items(), *((each.system, each.id) for each in contact.other_external_ids)]


def _parts(state: Json, members: Sequence[str]) -> tuple[Any, ...]:
    return tuple(state[member] for member in members)


def _is_empty(value: Any) -> bool:
    return value is None or value in ([], {}, "") or (isinstance(value, tuple) and not any(value))


def _union(lists: Sequence[Sequence[Any]], key: Callable[[Any], Hashable]) -> list[Any]:
    """Each once, as the first list that has it says."""
    found: dict[Hashable, Any] = {}
    for each in lists:
        for element in each:
            known = found.setdefault(key(element), element)
            if isinstance(element, dict) and element.get("verified") and not known["verified"]:
                found[key(element)] = {**known, "verified": True}
    return list(found.values())


def _with_one_primary(emails: Sequence[Json]) -> list[Json]:
    """The first that is primary, else the first."""
    primary = next((number for number, email in enumerate(emails) if email["primary"]), 0)
    return [{**email, "primary": number == primary} for number, email in enumerate(emails)]


def _rebased_list(
    base: Sequence[Any], present: Sequence[Any], new_base: Sequence[Any], key: Callable[[Any], Hashable]
) -> list[Any]:
    before, now = ({key(element): element for element in each} for each in (base, present))
    kept = [
        now[key(element)] if key(element) in now and now[key(element)] != before.get(key(element)) else element
        for element in new_base
        if key(element) in now or key(element) not in before
    ]
    there = {key(element) for element in kept}
    return kept + [element for element in present if key(element) not in before and key(element) not in there]


def _rebased_map(base: Json, present: Json, new_base: Json) -> Json:
    names = dict.fromkeys([*new_base, *present])
    chosen = {name: new_base.get(name) if present.get(name) == base.get(name) else present.get(name) for name in names}
    return {name: value for name, value in chosen.items() if value is not None}
