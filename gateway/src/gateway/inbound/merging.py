"""What a source's version of a record means for what stands here: member by member, whatever comes in whatever order. Pure.

Of each member it is kept what the source said last, by its own time, and what was written of that. A version that is not newer
changes nothing. What the source wrote itself it may change; what somebody else wrote since stays, unless the source owns it.
A time has a digest of the payload behind it, so that two deliveries of one second end alike in either order; of one time is the same
payload alone, which says something else only where its mapping was mended.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson
from crm_contracts.inbound import ConflictWinner

Policy = Literal["owned", "yielded", "owned_by_another", "shared"]
Digest = Callable[[Any], str]
Said = dict[str, Any]
"""Of one member: `at`, `rank` and `of` of what was said last; `written`: the digest of what stood there once that was written, or
of each item of a list that was added.
"""

GUEST: Final = 0
KNOWN: Final = 1
"""Who has an id at the source says more of themselves than somebody who bought once."""

LISTS: Final[Mapping[str, str | None]] = {"emails": "address", "phones": "number", "tags": None}
"""Members whose items come and go by themselves, and by what an item is the same."""

_MOST_ITEMS: Final = 50


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Somebody was not heard."""

    member: str
    theirs: Any
    ours: Any
    winner: ConflictWinner
    reason: str


@dataclass(frozen=True, slots=True)
class Merged:
    """`patch`: what is to be written, by flat member; `said`: what is to be kept of every member, before the answer is known."""

    patch: dict[str, Any]
    said: dict[str, Said]
    disagreements: list[Disagreement] = field(default_factory=list)


def digest_under(key: bytes) -> Digest:
    """A digest from which nobody can tell the value who does not have the installation's secret."""

    def digest(value: Any) -> str:
        written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(written, digest_size=16, key=key[:64]).hexdigest()

    return digest


def flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """Members one by one; those under `custom` by `custom.<name>`."""
    members = {name: value for name, value in data.items() if name != "custom"}
    custom = data.get("custom")
    if isinstance(custom, Mapping):
        members |= {f"custom.{name}": value for name, value in custom.items()}
    return members


def nested(members: Mapping[str, Any]) -> dict[str, Any]:
    """As a merge patch has them."""
    patch: dict[str, Any] = {}
    for name, value in members.items():
        head, dot, rest = name.partition(".")
        if dot:
            patch.setdefault(head, {})[rest] = value
        else:
            patch[name] = value
    return patch


def merge(
    current: Mapping[str, Any],
    theirs: Mapping[str, Any],
    *,
    at: str,
    rank: int,
    said: Mapping[str, Said],
    policy: Callable[[str], Policy],
    digest: Digest,
) -> Merged:
    """`current` and `theirs` flat; `at`: the sender's time, comparable as text. Of a guest only what they said counts."""
    merged = Merged({}, dict(said))
    for member, value in theirs.items():
        if rank == GUEST and _is_empty(value):
            continue
        now = current.get(member)
        if member in LISTS:
            _merge_list(merged, member, now or [], value or [], (at, rank), policy(member), digest)
        else:
            _merge_value(merged, member, now, value, (at, rank), policy(member), digest)
    return merged


def is_news(theirs: Mapping[str, Any], *, at: str, said: Mapping[str, Said], digest: Digest) -> bool:
    """Whether somebody whom the source knows says anything that was not said before, or not so lately."""
    for member, value in theirs.items():
        before = said.get(member)
        of = digest(sorted({_item_key(member, item) for item in value or ()})) if member in LISTS else digest(value)
        if not _is_old(before, (at, KNOWN), of):
            return True
    return False


def noted(merged: Merged, answer: Mapping[str, Any], digest: Digest) -> dict[str, Said]:
    """What is to be kept, once the record stands as it was answered: its own spelling of what was written."""
    said = dict(merged.said)
    for member in merged.patch:
        if member not in LISTS and member in said:
            said[member] = {**said[member], "written": digest(answer.get(member))}
    return said


def _merge_value(
    merged: Merged, member: str, now: Any, value: Any, when: tuple[str, int], policy: Policy, digest: Digest
) -> None:
    before = merged.said.get(member)
    of = digest(value)
    if _is_old(before, when, of):
        return
    is_theirs = before is not None and before.get("written") == digest(now)
    written = before.get("written") if before is not None and is_theirs else None
    merged.said[member] = {"at": when[0], "rank": when[1], "of": of, "written": written}
    if value == now or (_is_empty(value) and _is_empty(now)):
        return
    is_new_word = before is None or before["of"] != of
    if policy in ("yielded", "owned_by_another"):
        if not _is_empty(value) and is_new_word:
            merged.disagreements.append(Disagreement(member, value, now, "relata", policy))
    elif policy == "owned":
        if not _is_empty(now) and not is_theirs:
            merged.disagreements.append(Disagreement(member, value, now, "source", policy))
        merged.patch[member] = _in_place_of(now, value)
    elif is_theirs or _is_empty(now):
        merged.patch[member] = _in_place_of(now, value)
    elif not _is_empty(value) and is_new_word:
        merged.disagreements.append(Disagreement(member, value, now, "relata", "changed_here"))


def _in_place_of(now: Any, value: Any) -> Any:
    """A merge patch leaves what it does not name; of an object that is written whole that must go."""
    if isinstance(now, dict) and isinstance(value, dict):
        return {**dict.fromkeys(now), **value}
    return value


def _merge_list(
    merged: Merged,
    member: str,
    now: Sequence[Any],
    value: Sequence[Any],
    when: tuple[str, int],
    policy: Policy,
    digest: Digest,
) -> None:
    before = merged.said.get(member)
    wanted = {_item_key(member, item): item for item in value}
    standing = {_item_key(member, item): item for item in now}
    ours = set(before["written"] or ()) if before is not None else set()
    if when[1] == GUEST:
        added = {key: item for key, item in wanted.items() if key not in standing}
        if policy in ("shared", "owned") and added:
            merged.patch[member] = [*now, *added.values()][:_MOST_ITEMS]
        if before is not None:  # a guest has it too: it is no longer the account's alone
            merged.said[member] = {**before, "written": sorted(ours - {digest(key) for key in wanted})}
        return
    of = digest(sorted(wanted))
    if _is_old(before, when, of):
        return
    if policy in ("yielded", "owned_by_another"):
        if wanted.keys() - standing.keys() and (before is None or before["of"] != of):
            merged.disagreements.append(Disagreement(member, list(value), list(now), "relata", policy))
        merged.said[member] = {"at": when[0], "rank": when[1], "of": of, "written": sorted(ours)}
        return
    gone = {key for key in standing if key not in wanted and (policy == "owned" or digest(key) in ours)}
    added = {key: item for key, item in wanted.items() if key not in standing}
    kept_theirs = {digest(key) for key in wanted if key in standing and digest(key) in ours}
    written = sorted(kept_theirs | {digest(key) for key in added})
    merged.said[member] = {"at": when[0], "rank": when[1], "of": of, "written": written}
    if gone or added:
        if policy == "owned" and (
            lost := [item for key, item in standing.items() if key in gone and digest(key) not in ours]
        ):
            merged.disagreements.append(Disagreement(member, list(value), lost, "source", policy))
        left = [item for key, item in standing.items() if key not in gone]
        merged.patch[member] = [*left, *added.values()][:_MOST_ITEMS]


def _item_key(member: str, item: Any) -> str:
    by = LISTS[member]
    return str(item[by] if by is not None else item).casefold()


def _is_old(before: Said | None, when: tuple[str, int], of: str) -> bool:
    """Something newer was said, or the very same."""
    if before is None:
        return False
    at, rank = when
    said = (before["rank"], before["at"])
    return said > (rank, at) or (said == (rank, at) and before["of"] == of)


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})
