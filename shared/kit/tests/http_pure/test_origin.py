"""Where a request came from: as many hops are believed as there are proxies of ours, and no more."""

from collections.abc import Mapping
from typing import Any

import pytest
from crm_kit.context import BEGINNING, Chain
from crm_kit.http.origin import Origin, chain_headers, passed_on, seen_from, told_by_gateway
from hypothesis import given
from hypothesis import strategies as st

CLAIMED = st.lists(st.text(st.characters(codec="ascii", exclude_characters=","), max_size=20), max_size=5)


def scope(peer: str | None, *forwarded: str, **headers: str) -> dict[str, Any]:
    told = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    told += [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http", "client": None if peer is None else (peer, 1), "headers": told}


@given(CLAIMED)
def test_without_proxies_the_peer_counts_whatever_is_claimed(claimed: list[str]) -> None:
    assert seen_from(0)(scope("198.51.100.7", *claimed)).address == "198.51.100.7"


@given(CLAIMED, st.integers(1, 3))
def test_what_a_client_claims_lies_behind_what_our_proxies_saw(claimed: list[str], hops: int) -> None:
    appended = ["203.0.113.9", *(f"10.0.0.{n}" for n in range(1, hops))]
    assert seen_from(hops)(scope("10.0.0.99", ",".join([*claimed, *appended]))).address == "203.0.113.9"
    assert seen_from(hops)(scope("10.0.0.99", *claimed, *appended)).address == "203.0.113.9"


def test_who_comes_past_the_proxies_is_the_peer() -> None:
    assert seen_from(2)(scope("198.51.100.7", "203.0.113.9")).address == "198.51.100.7"


@pytest.mark.parametrize("told", ["unknown", "_hidden", "", "203.0.113.9:80", "999.1.1.1", "1.2.3.4\x00"])
def test_what_is_no_address_is_none(told: str) -> None:
    assert seen_from(1)(scope("10.0.0.1", told)).address is None
    assert told_by_gateway(scope("10.0.0.1", relata_client_address=told)).address is None


def test_a_connection_over_a_socket_has_no_address() -> None:
    assert seen_from(0)(scope(None)) == Origin(None, None)


@given(st.ip_addresses(), st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300))
def test_what_is_passed_on_arrives(address: Any, user_agent: str) -> None:
    seen = seen_from(0)(scope(str(address), user_agent=user_agent))
    assert told_by_gateway(scope("10.0.0.1", **lowered(passed_on(seen.address, seen.user_agent, seen.chain)))) == seen


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@given(st.from_regex(r"[a-z0-9-]{1,128}", fullmatch=True), st.integers(0, 100))
def test_a_chain_that_comes_back_has_a_hop_more_and_none_on_its_way_to_a_service(id_: str, hops: int) -> None:
    told = Chain("beginning", id_, hops)
    returned = seen_from(0)(scope("10.0.0.1", **lowered(chain_headers(told)))).chain
    assert returned == Chain("beginning", id_, hops + 1)
    assert told_by_gateway(scope("10.0.0.1", **lowered(passed_on(None, None, returned)))).chain == returned


def test_who_follows_from_nothing_passes_nothing_on() -> None:
    assert seen_from(0)(scope("10.0.0.1", relata_correlation_id="x")).chain is BEGINNING
    assert passed_on(None, None, BEGINNING) == {}


@given(st.text(st.characters(max_codepoint=255), max_size=200), st.text(st.characters(max_codepoint=255), max_size=20))
def test_whatever_a_client_says_of_a_chain_is_bounded(id_: str, hops: str) -> None:
    chain = seen_from(0)(scope("10.0.0.1", relata_causation_id=id_, relata_correlation_id=id_, relata_hops=hops)).chain
    assert 0 <= chain.hops <= 101
    assert chain.causation_id is None or chain.causation_id.isascii()
    assert chain.correlation_id is None or len(chain.correlation_id) <= 128


@given(st.text(st.characters(max_codepoint=255), max_size=1000))
def test_what_a_client_calls_itself_is_printable_and_short(name: str) -> None:
    told = seen_from(0)(scope("10.0.0.1", user_agent=name)).user_agent
    assert told is None or (told.isprintable() and told.isascii() and 0 < len(told) <= 300)
