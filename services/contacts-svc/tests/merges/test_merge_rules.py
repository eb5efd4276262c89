"""What members become, for any contacts and any order of merging and undoing."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contacts_svc.features.contacts.schemas import ContactWrite
from contacts_svc.features.merges.rules import WRITTEN, combined, rebased, state_of
from crm_contracts.contacts import Contact
from crm_contracts.ids import ContactId
from hypothesis import given
from hypothesis import strategies as st

_START = datetime(2026, 1, 1, tzinfo=UTC)
_TEXT = st.none() | st.sampled_from(["a", "b", "c"])


@st.composite
def _contacts(draw: st.DrawFn) -> Contact:
    made = _START + timedelta(days=draw(st.integers(0, 5)))
    addresses = draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=3))
    return Contact.model_validate(
        {
            "id": ContactId.new(),
            "version": 1,
            "created_at": made,
            "updated_at": made + timedelta(days=draw(st.integers(0, 5))),
            "first_name": None,
            "last_name": None,
            "full_name": draw(st.sampled_from(["王伟", "Wang Wei"])),
            "emails": [
                {"address": f"{one}@example.com", "primary": n == 0, "verified": draw(st.booleans())}
                for n, one in enumerate(addresses)
            ],
            "phones": [
                {"number": f"+861380013800{n}", "label": None}
                for n in draw(st.lists(st.integers(0, 4), unique=True, max_size=3))
            ],
            "wechat": draw(_TEXT),
            "title": draw(_TEXT),
            "account_id": None,
            "address": None,
            "language": None,
            "birthday": None,
            "source": draw(_TEXT),
            "lifecycle_stage": draw(st.sampled_from(["lead", "customer"])),
            "lifecycle_reason": draw(_TEXT),
            "owner_id": None,
            "team_id": None,
            "external_ids": draw(st.dictionaries(st.sampled_from(["shop", "erp"]), st.sampled_from("123"))),
            "tags": draw(st.lists(st.sampled_from(["x", "y", "z"]), unique=True)),
            "custom": draw(st.dictionaries(st.sampled_from(["m", "n"]), st.integers(0, 2))),
        }
    )


def _with(contact: Contact, state: dict[str, Any]) -> Contact:
    return Contact.model_validate({**contact.model_dump(mode="json"), **state})


def _said(state: dict[str, Any]) -> dict[str, Any]:
    """What a state says, whatever the order of its lists."""
    return {name: sorted(map(str, value)) if isinstance(value, list) else value for name, value in state.items()}


def test_no_member_that_clients_write_is_forgotten() -> None:
    """A new one needs its place in the rules, or merging would lose it."""
    assert set(WRITTEN) == ContactWrite.model_fields.keys()


@given(_contacts(), st.lists(_contacts(), min_size=1, max_size=3))
def test_what_comes_of_it_can_be_written_and_lacks_nothing(survivor: Contact, others: list[Contact]) -> None:
    state = combined(survivor, others, {})
    assert set(state) == set(WRITTEN)
    ContactWrite.model_validate({name: value for name, value in state.items() if value is not None})
    everybody = [survivor, *others]
    assert {each["address"] for each in state["emails"]} == {e.address for one in everybody for e in one.emails}
    assert {each["number"] for each in state["phones"]} == {p.number for one in everybody for p in one.phones}
    assert set(state["tags"]) == {tag for one in everybody for tag in one.tags}
    assert state["custom"].keys() == {name for one in everybody for name in one.custom}
    assert (state["title"] is None) == all(one.title is None for one in everybody)
    assert sum(each["primary"] for each in state["emails"]) == min(1, len(state["emails"]))


@given(_contacts(), _contacts())
def test_who_is_merged_with_itself_stays_as_it_is(contact: Contact, other: Contact) -> None:
    twin = contact.model_copy(update={"id": other.id})
    assert combined(contact, [twin], {}) == state_of(contact)


@given(_contacts(), _contacts())
def test_a_chosen_contact_counts_whatever_it_holds(survivor: Contact, other: Contact) -> None:
    rules: dict[str, Any] = dict.fromkeys(
        ("name", "title", "wechat", "emails", "phones", "tags", "external_ids"), other.id
    )
    state, chosen = combined(survivor, [other], rules), state_of(other)
    assert {name: state[name] for name in ("full_name", "title", "wechat", "emails", "phones", "tags")} == {
        name: chosen[name] for name in ("full_name", "title", "wechat", "emails", "phones", "tags")
    }
    assert state["external_ids"] == chosen["external_ids"]


@given(_contacts(), _contacts())
def test_newest_and_oldest_are_told_by_time(survivor: Contact, other: Contact) -> None:
    newest = max((survivor, other), key=lambda one: (one.updated_at, one.id))
    oldest = min((survivor, other), key=lambda one: (one.created_at, one.id))
    if newest.title is not None:
        assert combined(survivor, [other], {"title": "newest"})["title"] == newest.title
    if oldest.title is not None:
        assert combined(survivor, [other], {"title": "oldest"})["title"] == oldest.title


@given(_contacts(), _contacts(), _contacts(), st.booleans())
def test_two_merges_are_undone_in_either_order(survivor: Contact, one: Contact, two: Contact, first: bool) -> None:
    base = state_of(survivor)
    with_one = combined(survivor, [one], {})
    with_both = combined(_with(survivor, with_one), [two], {})
    if first:  # the first is undone: the second is made anew without it
        with_two = combined(survivor, [two], {})
        present = rebased(with_both, with_both, with_two)
        assert _said(present) == _said(with_two)
        assert _said(rebased(with_two, present, base)) == _said(base)
    else:
        present = rebased(with_both, with_both, with_one)
        assert _said(present) == _said(with_one)
        assert _said(rebased(with_one, present, base)) == _said(base)


@given(_contacts(), _contacts(), _contacts())
def test_what_was_written_since_stays(survivor: Contact, other: Contact, written: Contact) -> None:
    """And what was not comes back as it was."""
    base, merged = state_of(survivor), combined(survivor, [other], {})
    present = {**merged, "title": written.title, "tags": [*merged["tags"], "since"]}
    now = rebased(merged, present, base)
    assert now["title"] == (base["title"] if written.title == merged["title"] else written.title)
    assert set(now["tags"]) == {*base["tags"], "since"}
    assert now["emails"] == base["emails"]
    assert now["custom"] == base["custom"]
