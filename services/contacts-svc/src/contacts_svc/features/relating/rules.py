"""What relationships are told apart by, and where they stand when contacts are merged. Pure."""

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple, Self

from crm_contracts.ids import AccountId, prefix_of

BATCH: Final = 200
"""Relationships that go in one transaction when an end of theirs goes."""

GONE: Final = "relationship_end_gone"
"""The timer of a contact or account that is deleted and had more than BATCH of them."""

INVERSES: Final[Mapping[str, str]] = {
    "spouse": "spouse",
    "partner": "partner",
    "sibling": "sibling",
    "friend": "friend",
    "colleague": "colleague",
    "parent": "child",
    "child": "parent",
    "reports_to": "manages",
    "manages": "reports_to",
    "assistant": "assisted_by",
    "assisted_by": "assistant",
    "referred_by": "referred",
    "referred": "referred_by",
}
"""What the other contact is, where everybody calls it so."""


def contacts_of(contact_id: str, related_id: str | None) -> list[str]:
    """The ends that are contacts."""
    return [contact_id] if related_id is None else [contact_id, related_id]


class Saying(NamedTuple):
    """That `first` is `label` to `second`. Labels by their keys."""

    first: str
    second: str
    label: str


class Said(NamedTuple):
    """What a relationship says of its two ends, and what that means from the other side; None of an account."""

    told: Saying
    meant: Saying | None

    @classmethod
    def of(cls, contact_id: str, other_id: str, label: str, inverse: str | None) -> Self:
        meant = Saying(other_id, contact_id, inverse) if inverse is not None else None
        return cls(Saying(contact_id, other_id, label), meant)

    def is_as(self, other: "Said") -> bool:
        """Whether one of them tells what the other tells or means. Two may mean the same: of a lawyer's client and an
        accountant's each is the other's client.
        """
        return self.told in other or other.told in self


class Placed(NamedTuple):
    """A relationship by the ends that it has once merges are counted."""

    id: str
    contact_id: str
    other_id: str
    label_key: str
    inverse_key: str | None


def label_key(label: str) -> str:
    """What labels are compared by: neither case nor width nor how a letter is put together makes another."""
    return unicodedata.normalize("NFKC", label).casefold()


def inverse_of(label: str, given: str | None, before: tuple[str, str | None] | None = None) -> str | None:
    """The label from the other side, where it is given or known. `before`: label and inverse as they were.

    One that stayed while the label changed is no longer meant where it was what everybody calls the old label's.
    """
    followed = before is not None and label != before[0] and given == before[1] == INVERSES.get(label_key(before[0]))
    return given if given is not None and not followed else INVERSES.get(label_key(label))


def standing(placed: Iterable[Placed], there: Collection[str]) -> frozenset[str]:
    """The ids of those that are shown: between two, both of whom are `there`; of those that say the same the first by id.

    Accounts are there while relationships to them are.
    """
    shown: set[str] = set()
    between: dict[frozenset[str], list[Said]] = {}
    for each in sorted(placed):
        ends = frozenset((each.contact_id, each.other_id))
        if len(ends) < 2 or any(prefix_of(end) != AccountId.prefix and end not in there for end in ends):
            continue
        said, known = Said.of(*each[1:]), between.setdefault(ends, [])
        if not any(said.is_as(other) for other in known):
            known.append(said)
            shown.add(each.id)
    return frozenset(shown)
