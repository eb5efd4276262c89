"""Labelled contacts for `duplicates.py`: made ones, seeded, with the errors that people and systems make, and files.

The makers know nothing of how Relata compares. Each person is written down once as they are, and some again with errors;
around them stand others who are like them and are not them: namesakes, families, colleagues behind one switchboard.
"""

import csv
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """A contact as somebody typed it, and which person it is; what is unknown is empty."""

    person: str
    first_name: str = ""
    last_name: str = ""
    full_name: str = ""
    email: str = ""
    phone: str = ""
    birthday: str = ""
    street: str = ""
    district: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    company: str = ""


Error = Callable[[random.Random, Record], Record]


def febrl(path: Path) -> list[Record]:
    """FEBRL's data sets: `rec-7-org` and `rec-7-dup-0` are one person."""
    with path.open(newline="") as file:
        rows = [{name.strip(): value.strip() for name, value in row.items()} for row in csv.DictReader(file)]
    return [
        Record(
            person=row["rec_id"].rsplit("-org")[0].split("-dup-")[0],
            first_name=row["given_name"],
            last_name=row["surname"],
            birthday=row["date_of_birth"],
            street=f"{row['street_number']} {row['address_1']}".strip(),
            district=row["address_2"],
            city=row["suburb"],
            region=row["state"],
            postal_code=row["postcode"],
        )
        for row in rows
    ]


def from_csv(path: Path) -> list[Record]:
    """Of a file with the members of `Record` as its columns; those that it lacks are empty."""
    known = Record.__dataclass_fields__
    with path.open(newline="") as file:
        return [
            Record(**{name: (value or "").strip() for name, value in row.items() if name in known})
            for row in csv.DictReader(file)
        ]


def zipf(random_: random.Random, values: Sequence[str]) -> str:
    """The first ones often, the last ones seldom."""
    return random_.choices(values, cum_weights=_cumulated(len(values)))[0]


@cache
def _cumulated(size: int) -> list[float]:
    return list(accumulate(1 / (rank + 3) for rank in range(size)))


def slip(random_: random.Random, word: str, alphabet: str = "abcdefghijklmnopqrstuvwxyz") -> str:
    """One key wrong: another, one too many, one missing, or two exchanged."""
    if len(word) < 2:
        return word
    at = random_.randrange(len(word) - 1)
    match random_.randrange(4):
        case 0:
            return word[:at] + random_.choice(alphabet) + word[at + 1 :]
        case 1:
            return word[:at] + random_.choice(alphabet) + word[at:]
        case 2:
            return word[:at] + word[at + 1 :]
        case _:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def without(*names: str) -> Error:
    return lambda _random, record: replace(record, **dict.fromkeys(names, ""))


def slipped(name: str, alphabet: str = "abcdefghijklmnopqrstuvwxyz") -> Error:
    return lambda random_, record: replace(record, **{name: slip(random_, getattr(record, name), alphabet)})


def birthday(random_: random.Random) -> str:
    return f"{random_.randint(1940, 2006)}{random_.randint(1, 12):02}{random_.randint(1, 28):02}"


def written_again(
    random_: random.Random, people: list[Record], share: float, errors: list[tuple[float, Error]]
) -> list[Record]:
    """Everybody once, and that share of them once to three times more, each time with one to three errors."""
    records = list(people)
    kinds, weights = [error for _, error in errors], [weight for weight, _ in errors]
    for person in people:
        if random_.random() >= share:
            continue
        for _ in range(random_.choices((1, 2, 3), weights=(7, 2, 1))[0]):
            copy = person
            for error in random_.choices(kinds, weights, k=random_.choices((1, 2, 3), weights=(4, 4, 2))[0]):
                copy = error(random_, copy)
            records.append(copy)
    random_.shuffle(records)
    return records
