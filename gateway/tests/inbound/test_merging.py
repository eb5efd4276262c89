"""A record ends as the newest of what was said of it, in whatever order and however often that comes."""

from collections.abc import Callable
from typing import Any

from gateway.inbound.merging import GUEST, KNOWN, LISTS, Policy, Said, digest_under, merge, noted
from hypothesis import given
from hypothesis import strategies as st

_DIGEST = digest_under(b"of the tests")
_TIMES = [f"2026-01-0{day}T00:00:00.000000" for day in range(1, 5)]
_VALUES = st.one_of(st.none(), st.sampled_from(["王伟", "Wei", "Bob"]))
_ADDRESSES = st.lists(st.sampled_from(["a@x.com", "b@x.com", "c@x.com"]), unique=True, max_size=3)


@st.composite
def _versions(draw: Any, rank: int) -> list[tuple[str, int, dict[str, Any]]]:
    times = draw(st.lists(st.sampled_from(_TIMES), min_size=1, max_size=4))
    return [
        (
            f"{at}|{place}",
            rank,
            {
                "first_name": draw(_VALUES),
                "title": draw(_VALUES),
                "emails": [{"address": one} for one in draw(_ADDRESSES)],
            },
        )
        for place, at in enumerate(times)
    ]


def _written(start: dict[str, Any], versions: Any, policy: Policy) -> dict[str, Any]:
    current = dict(start)
    said: dict[str, Said] = {}
    for at, rank, theirs in versions:
        merged = merge(current, theirs, at=at, rank=rank, said=said, policy=lambda _: policy, digest=_DIGEST)
        current |= merged.patch
        said = noted(merged, current, _DIGEST)
    return _comparable(current)


def _comparable(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: sorted(each["address"] for each in value) if name in LISTS else value or None
        for name, value in record.items()
        if value
    }


_STARTS = st.fixed_dictionaries(
    {"first_name": _VALUES, "title": _VALUES, "emails": _ADDRESSES.map(lambda all_: [{"address": one} for one in all_])}
)
_POLICIES = st.sampled_from(["shared", "owned", "yielded"])


@given(st.data(), _STARTS, _versions(KNOWN), _POLICIES)
def test_shuffled_and_repeated_versions_end_alike(
    data: Any, start: dict[str, Any], versions: list[Any], policy: Policy
) -> None:
    once = _written(start, versions, policy)
    assert _written(start, data.draw(st.permutations([*versions, *versions])), policy) == once


@given(st.data(), _versions(KNOWN), _versions(GUEST))
def test_who_has_an_account_says_more_of_themselves_than_a_guest(data: Any, known: Any, guests: Any) -> None:
    """Of the values; the addresses of a guest are theirs too, whoever comes first."""
    known = [
        (at, rank, {name: value for name, value in theirs.items() if name != "emails"}) for at, rank, theirs in known
    ]
    guests = [(at, rank, {**theirs, "emails": []}) for at, rank, theirs in guests]
    once = _written({}, [*known, *guests], "shared")
    assert _written({}, data.draw(st.permutations([*known, *guests, *known])), "shared") == once


@given(_STARTS, _versions(KNOWN))
def test_what_somebody_else_wrote_stays_and_is_told_once(start: dict[str, Any], versions: list[Any]) -> None:
    kept = {name: value for name, value in start.items() if name != "emails" and value}
    ended = _written(start, versions, "shared")
    assert {name: ended.get(name) for name in kept} == kept
    assert {each["address"] for each in start["emails"]} <= set(ended.get("emails", []))


def test_a_yielded_member_is_never_written_and_an_owned_one_always() -> None:
    theirs = {"title": "采购经理"}
    policies: list[tuple[Policy, str, dict[str, str]]] = [("yielded", "relata", {}), ("owned", "source", theirs)]
    for policy, winner, patch in policies:
        merged = merge(
            {"title": "Buyer"}, theirs, at=_TIMES[0], rank=KNOWN, said={}, policy=_always(policy), digest=_DIGEST
        )
        assert merged.patch == patch
        assert [(one.member, one.theirs, one.ours, one.winner) for one in merged.disagreements] == [
            ("title", "采购经理", "Buyer", winner)
        ]


def _always(policy: Policy) -> Callable[[str], Policy]:
    return lambda _member: policy


@given(st.sampled_from(["shared", "yielded", "owned_by_another"]), st.integers(2, 5))
def test_who_says_the_same_again_in_vain_is_told_once(policy: Policy, times: int) -> None:
    said: dict[str, Said] = {}
    told = 0
    for place in range(times):
        merged = merge(
            {"title": "Buyer", "emails": [{"address": "a@x.com"}]},
            {"title": "Head", "emails": [{"address": "b@x.com"}] if policy != "shared" else []},
            at=f"{_TIMES[0]}|{place}", rank=KNOWN, said=said, policy=_always(policy), digest=_DIGEST,
        )  # fmt: skip
        said, told = merged.said, told + len(merged.disagreements)
    assert told == (1 if policy == "shared" else 2)


def test_an_echo_writes_nothing() -> None:
    merged = merge(
        {"title": "Buyer"},
        {"title": "Buyer"},
        at=_TIMES[0],
        rank=KNOWN,
        said={},
        policy=lambda _: "owned",
        digest=_DIGEST,
    )
    assert (merged.patch, merged.disagreements) == ({}, [])


def test_what_is_kept_of_a_value_tells_it_to_nobody() -> None:
    merged = merge({}, {"title": "Buyer"}, at=_TIMES[0], rank=KNOWN, said={}, policy=lambda _: "shared", digest=_DIGEST)
    assert "Buyer" not in repr(noted(merged, {"title": "Buyer"}, _DIGEST))
    assert digest_under(b"another")("Buyer") != _DIGEST("Buyer")
