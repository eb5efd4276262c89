"""What relationships are told apart by, and which of them are shown once merges are counted."""

import pytest
from contacts_svc.features.relating.rules import INVERSES, Placed, Said, inverse_of, label_key, standing
from crm_contracts.ids import AccountId, ContactId
from hypothesis import given
from hypothesis import strategies as st

_PEOPLE = [str(ContactId.new()) for _ in range(4)]
_COMPANIES = [str(AccountId.new()) for _ in range(2)]


@st.composite
def _placed(draw: st.DrawFn) -> list[Placed]:
    found = []
    for number in range(draw(st.integers(0, 12))):
        person, other = draw(st.sampled_from(_PEOPLE)), draw(st.sampled_from([*_PEOPLE, *_COMPANIES]))
        label = draw(st.sampled_from(["friend", "manages", "reports_to", "billing"]))
        inverse = None if other in _COMPANIES else INVERSES.get(label, "x")
        found.append(Placed(f"relationship_{number:02}", person, other, label, inverse))
    return found


@given(_placed(), st.permutations(range(12)))
def test_what_is_shown_is_between_two_and_said_once(placed: list[Placed], order: list[int]) -> None:
    there = frozenset(_PEOPLE[:3])
    shown = standing(placed, there)
    assert shown == standing([placed[n] for n in order if n < len(placed)], there)
    said = {each.id: Said.of(*each[1:]) for each in placed}
    assert not any(said[one].is_as(said[other]) for one in shown for other in shown if one != other)
    for each in placed:
        ends = {each.contact_id, each.other_id}
        possible = len(ends) == 2 and ends <= {*there, *_COMPANIES}
        if each.id in shown:
            assert possible
        elif possible:  # then something shown says the same, and came first
            assert min(other for other in shown if said[other].is_as(said[each.id])) < each.id


def test_two_may_be_the_same_to_one_another_for_different_reasons() -> None:
    lawyer, accountant = (Said.of("a", "b", label, "client") for label in ("lawyer", "accountant"))
    assert not lawyer.is_as(accountant)
    assert lawyer.is_as(Said.of("b", "a", "client", "adviser"))


@given(st.text(max_size=30))
def test_a_label_compares_as_its_key_does(label: str) -> None:
    assert label_key(label.upper().lower()) == label_key(label_key(label.upper().lower()))


@pytest.mark.parametrize(("label", "inverse"), INVERSES.items())
def test_known_inverses_lead_back(label: str, inverse: str) -> None:
    assert INVERSES[inverse] == label
    assert inverse_of(label.upper(), None) == inverse


@pytest.mark.parametrize(
    ("label", "given_", "before", "expected"),
    [
        ("boss", None, None, None),
        ("boss", "report", None, "report"),
        ("spouse", "wife", None, "wife"),
        ("manages", "manages", ("reports_to", "manages"), "reports_to"),
        ("boss", "manages", ("reports_to", "manages"), None),
        ("chief", "report", ("boss", "report"), "report"),
        ("boss", "led", ("reports_to", "manages"), "led"),
        ("boss", None, ("boss", "report"), None),
    ],
)
def test_an_inverse_follows_where_nobody_said_it(
    label: str, given_: str | None, before: tuple[str, str | None] | None, expected: str | None
) -> None:
    assert inverse_of(label, given_, before) == expected
