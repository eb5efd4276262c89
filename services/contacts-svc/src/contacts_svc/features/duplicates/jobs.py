"""A tenant's contacts held against one another, page by page, each page in a transaction of its own.

First the match keys are made that are missing, and contacts gathered in blocks that share one. Then a sample tells how usual
names and places are, and what agreement says among these contacts. Then each contact is compared with those of its blocks
that are older. Where a scan has come to is its `Step`, which the caller keeps: who dies in between repeats no more than a
page. Memory is bounded by page and sample.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Final, Literal, NamedTuple

from crm_kit.db.bounded import time_limit
from crm_kit.db.session import ReadSession, WriteSession

from contacts_svc.features.duplicates import repository
from contacts_svc.features.duplicates.repository import Pair
from contacts_svc.features.matching.rules.comparing import findings
from contacts_svc.features.matching.rules.keys import (
    COMPARED_FROM,
    KEYS,
    evidence,
    key_number,
    key_numbers,
    match_keys,
    part_of_keys,
)
from contacts_svc.features.matching.rules.learning import learn
from contacts_svc.features.matching.rules.profile import Profile
from contacts_svc.features.matching.rules.scoring import REPORTED_FROM, assess
from contacts_svc.features.matching.rules.statistics import Statistics
from contacts_svc.features.matching.rules.weights import SHARED_BY_MANY

_PAGE: Final = 500
_BEYOND_ALL: Final = "~"
"""Sorts behind every id."""
_GATHERING_LIMIT: Final = timedelta(minutes=10)
_SAMPLE: Final = 20_000
"""Contacts that names and places are counted of."""
_LEARNED_OF: Final = 2_000
"""Contacts, of those, whose pairs the weights are learned from."""


class Step(NamedTuple):
    """What comes next: contacts beyond the id `after`, or match keys from that number on; `done` contacts have been compared."""

    phase: Literal["key", "gather", "learn", "compare", "clear"] = "key"
    after: str = ""
    done: int = 0


async def scan_some(session: WriteSession, step: Step) -> Step | None:
    """Does one step; answers the next, and None at the end."""
    match step.phase:
        case "key":
            return await _key(session)
        case "gather":
            return await _gather(session, step)
        case "learn":
            await _learn(session)
            return Step("compare")
        case "compare":
            return await _compare(session, step)
        case "clear":
            return await _clear(session, step)


async def _key(session: WriteSession) -> Step:
    profiles = await repository.unkeyed(session, _PAGE)
    if not profiles:
        return Step("gather")
    keys = {id_: key_numbers(session.tenant_id, profile) for id_, profile in profiles.items()}
    await repository.keep_keys(session, keys)
    return Step("key")


async def _gather(session: WriteSession, step: Step) -> Step:
    keys = await _some_keys(session, step)
    async with time_limit(session, _GATHERING_LIMIT):
        await repository.make_blocks(session, keys)
    return Step("gather", str(keys.stop)) if keys.stop in KEYS else Step("learn")


async def _clear(session: WriteSession, step: Step) -> Step | None:
    keys = await _some_keys(session, step)
    await repository.clear_blocks(session, keys)
    return Step("clear", str(keys.stop), step.done) if keys.stop in KEYS else None


async def _some_keys(session: ReadSession, step: Step) -> range:
    return part_of_keys(int(step.after) if step.after else KEYS.start, await repository.count_contacts(session))


async def _learn(session: WriteSession) -> None:
    size = await repository.count_contacts(session)
    sample = await repository.sample(session, max(1, size // _SAMPLE), 2 * _SAMPLE)
    block = await _block(session, dict(islice(sample.items(), _LEARNED_OF)), size)
    await repository.keep_statistics(session, await asyncio.to_thread(_learned, block, sample, size))


def _learned(block: _Block, sample: Mapping[str, Profile], size: int) -> Statistics:
    seen = Statistics.of(sample.values()).scaled(size)
    counted = replace(seen, shared=block.shared)
    found = [list(findings(*block.profiles_of(pair), counted)) for pair in block.pairs]
    return replace(seen, weights=learn(found, len(block.page), seen.counted_as))


async def _compare(session: WriteSession, step: Step) -> Step:
    after = step.after
    page = await repository.page(session, after, _PAGE)
    if not page:
        await repository.replace_pairs(session, after, _BEYOND_ALL, [])
        return Step("clear", done=step.done)
    statistics = await repository.statistics(session)
    block = await _block(session, page, statistics.size)
    found = await asyncio.to_thread(_scored, block, replace(statistics, shared=block.shared))
    last = next(reversed(page))
    await repository.replace_pairs(session, after, last, found)
    return Step("compare", last, step.done + len(page))


def _scored(block: _Block, statistics: Statistics) -> list[Pair]:
    found = []
    for older, newer in block.pairs:
        said = assess(*block.profiles_of((older, newer)), statistics)
        if said.score >= REPORTED_FROM:
            found.append(Pair(older, newer, said))
    return found


class _Block(NamedTuple):
    """Some contacts and the older ones of their blocks. `shared`: how many contacts have each of their keys, as far as it matters."""

    page: Mapping[str, Profile]
    older: Mapping[str, Profile]
    pairs: Sequence[tuple[str, str]]
    shared: Mapping[str, int]

    def profiles_of(self, pair: tuple[str, str]) -> tuple[Profile, Profile]:
        older, newer = pair
        return self.older.get(older) or self.page[older], self.page[newer]


async def _block(session: ReadSession, page: Mapping[str, Profile], contacts: int) -> _Block:
    """`contacts`: of the tenant."""
    by_number: dict[int, str] = {}
    having: dict[int, list[str]] = {}
    for id_, profile in page.items():
        for key in match_keys(profile):
            number = key_number(session.tenant_id, key)
            by_number[number] = key
            having.setdefault(number, []).append(id_)
    blocks = await repository.blocks(session, list(by_number))
    worth: Counter[tuple[str, str]] = Counter()
    for number, held in blocks.items():
        good_for = evidence(by_number[number], len(held), contacts)
        worth.update(dict.fromkeys(((a, b) for b in having[number] for a in held if a < b), good_for))
    pairs = [pair for pair, good_for in worth.items() if good_for >= COMPARED_FROM]
    older = await repository.profiles(session, list({older for older, _ in pairs} - page.keys()))
    known = older.keys() | page.keys()
    shared = {by_number[number]: len(held) or SHARED_BY_MANY + 1 for number, held in blocks.items()}
    return _Block(page, older, sorted(pair for pair in pairs if pair[0] in known), shared)
