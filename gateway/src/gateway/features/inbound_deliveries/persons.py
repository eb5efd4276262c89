"""Who a delivery speaks of: found by the id at the source, then by e-mail, then by phone, or made."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from gateway.features.inbound_deliveries.calling import Calls

_MOST: Final = 50
Json = dict[str, Any]


class AmbiguousPerson(Exception):
    """Several contacts could be meant, and the source says that somebody is to decide."""

    def __init__(self, candidates: Sequence[str]) -> None:
        self.candidates = list(candidates)
        super().__init__("several contacts could be meant")


async def find_person(
    calls: Calls,
    system: str,
    external_id: str | None,
    emails: Sequence[str],
    phones: Sequence[str],
    on_ambiguous: str,
    *,
    name: str | None = None,
) -> Json | None:
    """A contact, or None where there is none. Raises AmbiguousPerson.

    A phone alone says less than an address: families share one. Who has another name, or another id at the same source, is then
    somebody else. An address is an account's own, so there a new id is that of an account that was made again.
    """
    key = f"{system.replace(':', '%3A')}:{external_id}"
    asked = [("external_id", [key] if external_id is not None else []), ("email", emails), ("phone", phones)]
    fields = [_field(field, value) for field, values in asked for value in values[:20]]
    all_found = await calls.search("contacts", _of_all({"any": fields}), _MOST) if fields else []
    for field, values in asked:
        if len(all_found) < _MOST:
            found = [one for one in all_found if _has(one, field, values)]
        else:  # so many share a number that the one who is meant might not be among them
            some = [_field(field, value) for value in values[:20]]
            found = await calls.search("contacts", _of_all({"any": some}), _MOST) if some else []
        if field == "external_id" and found:
            return found[0]
        if field == "phone":
            found = [one for one in found if _same_name(name, one["full_name"])]
            found = [one for one in found if external_id is None or system not in one["external_ids"]]
        if len(found) > 1:
            found = _narrowed(found, external_id, system, emails, phones)
        if len(found) > 1 and on_ambiguous != "newest":
            raise AmbiguousPerson([one["id"] for one in found])
        if found:
            return found[0]
    return None


async def was_erased(calls: Calls, emails: Sequence[str], phones: Sequence[str], at: datetime | None) -> bool:
    """Whether somebody with one of these was erased since a version of them. What they do afterwards is of somebody who came back."""
    for name, values in (("email", emails), ("phone", phones)):
        for value in values[:20]:
            for one in await calls.erasures(name, value):
                if at is None or at <= datetime.fromisoformat(one["at"]):
                    return True
    return False


def _has(one: Json, field: str, values: Sequence[str]) -> bool:
    wanted = {value.casefold() for value in values} if field == "email" else set(values)
    if field == "email":
        return any(each["address"].casefold() in wanted for each in one["emails"])
    if field == "phone":
        return any(each["number"] in wanted for each in one["phones"])
    held = {f"{system.replace(':', '%3A')}:{id_}" for system, id_ in one["external_ids"].items()}
    held |= {f"{each['system'].replace(':', '%3A')}:{each['id']}" for each in one.get("other_external_ids", ())}
    return not wanted.isdisjoint(held)


def _of_all(where: Json) -> Json:
    """Also those that are archived: who buys again is not made twice."""
    return {"all": [where, {"field": "archived", "op": "exists", "value": True}]}


def _field(name: str, value: str) -> Json:
    return {"field": name, "op": "eq", "value": value}


def _narrowed(
    found: Sequence[Json], external_id: str | None, system: str, emails: Sequence[str], phones: Sequence[str]
) -> list[Json]:
    """Those of whom most is the same; who is another customer of the source is not meant where others are."""
    others = [one for one in found if external_id is None or system not in one["external_ids"]] or list(found)
    addresses, numbers = {one.casefold() for one in emails}, set(phones)

    def fits(one: Json) -> int:
        has_email = any(each["address"].casefold() in addresses for each in one["emails"])
        return int(has_email) + int(any(each["number"] in numbers for each in one["phones"]))

    most = max(fits(one) for one in others)
    return [one for one in others if fits(one) == most]


def name_of(data: Mapping[str, Any]) -> str | None:
    """What a planned contact is called."""
    parts = [data.get("first_name"), data.get("last_name")]
    return data.get("full_name") or " ".join(part for part in parts if part) or None


def _same_name(one: str | None, other: str | None) -> bool:
    """In whatever order their parts stand; who has none may be anybody."""
    return one is None or other is None or sorted(_letters(one)) == sorted(_letters(other))


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def reached_by(data: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The addresses and numbers of a planned contact."""
    emails = [each["address"] for each in data.get("emails") or () if isinstance(each, dict) and each.get("address")]
    phones = [each["number"] for each in data.get("phones") or () if isinstance(each, dict) and each.get("number")]
    return emails, phones
