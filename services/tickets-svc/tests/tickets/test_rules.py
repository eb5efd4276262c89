"""The status machine, by its pure rules."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from crm_contracts.facts import CLOSED_TICKETS
from crm_contracts.tickets import AuthorKind, TicketStatus, Visibility
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tickets_svc.features.tickets import rules

STATUSES = get_args(TicketStatus)
START = datetime(2026, 10, 1, 8, tzinfo=UTC)


class TicketMachine(RuleBasedStateMachine):
    """Whatever is done to a ticket in whatever order, what is said of it stays true."""

    def __init__(self) -> None:
        super().__init__()
        self.progress = rules.Progress("new")
        self.now = START
        self.history: list[TicketStatus] = ["new"]
        self.messages: list[tuple[AuthorKind, Visibility, datetime]] = []

    def _becomes(self, progress: rules.Progress) -> None:
        if progress.status != self.progress.status:
            self.history.append(progress.status)
        self.progress = progress

    # A clock may step back a little: another process, another machine.
    @rule(seconds=st.integers(-5, 3600))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(status=st.sampled_from(STATUSES))
    def somebody_sets_the_status(self, status: TicketStatus) -> None:
        if status == self.progress.status or status in rules.ALLOWED[self.progress.status]:
            self._becomes(rules.move(self.progress, status, self.now))
            assert self.progress.status == status
        else:
            with pytest.raises(rules.TransitionNotAllowed) as refusal:
                rules.move(self.progress, status, self.now)
            assert refusal.value.allowed == rules.ALLOWED[self.progress.status]

    @rule()
    def somebody_reopens(self) -> None:
        if self.progress.status == "closed":
            with pytest.raises(rules.TransitionNotAllowed):
                rules.reopen(self.progress, self.now)
            return
        self._becomes(rules.reopen(self.progress, self.now))
        assert self.progress.status in ("new", "open")
        assert rules.reopen(self.progress, self.now) == self.progress

    @rule(author=st.sampled_from(get_args(AuthorKind)), visibility=st.sampled_from(get_args(Visibility)))
    def somebody_writes(self, author: AuthorKind, visibility: Visibility) -> None:
        if self.progress.status == "closed":
            with pytest.raises(rules.ClosedToMessages):
                rules.add_message(self.progress, author, visibility, self.now)
            return
        before = self.progress
        self._becomes(rules.add_message(before, author, visibility, self.now))
        at = self.progress.last_message_at
        assert at is not None
        assert at >= self.now
        self.messages.append((author, visibility, at))
        wakes = (author, visibility) == ("contact", "public") and before.status in ("pending", "on_hold", "solved")
        assert self.progress.status == ("open" if wakes else before.status)

    @invariant()
    def solved_at_says_whether_it_is_over(self) -> None:
        assert (self.progress.solved_at is not None) == (self.progress.status in CLOSED_TICKETS)

    @invariant()
    def no_status_follows_closed_and_none_is_new_again(self) -> None:
        assert "closed" not in self.history[:-1]
        assert "new" not in self.history[1:]

    @invariant()
    def each_return_from_solved_is_counted(self) -> None:
        returns = sum(
            before == "solved" and after != "closed"
            for before, after in zip(self.history, self.history[1:], strict=False)
        )
        assert self.progress.reopened_count == returns

    @invariant()
    def messages_are_counted_and_in_order(self) -> None:
        times = [at for _author, _visibility, at in self.messages]
        assert self.progress.message_count == len(times)
        assert times == sorted(times)
        assert self.progress.last_message_at == (times[-1] if times else None)

    @invariant()
    def the_first_public_answer_of_a_user_is_kept(self) -> None:
        answers = [at for author, visibility, at in self.messages if (author, visibility) == ("user", "public")]
        assert self.progress.first_responded_at == (answers[0] if answers else None)


TestTicketMachine = TicketMachine.TestCase


@given(st.sampled_from(STATUSES), st.sampled_from(STATUSES))
def test_every_transition_is_stated(before: TicketStatus, after: TicketStatus) -> None:
    assert set(rules.ALLOWED) == set(STATUSES)
    assert before not in rules.ALLOWED[before]
    allowed = after in rules.ALLOWED[before]
    # What the table says, in words: never from closed, never to new, from solved only onwards or back to open.
    assert allowed == (
        before != after
        and before != "closed"
        and after != "new"
        and (before != "solved" or after in ("open", "closed"))
    )


def test_a_solved_ticket_that_is_closed_keeps_the_time_it_was_solved() -> None:
    solved = rules.move(rules.Progress("open"), "solved", START)
    assert rules.move(solved, "closed", START + timedelta(days=7)).solved_at == START


def test_the_opening_message_answers_nothing() -> None:
    opened = rules.add_message(rules.Progress("new"), "user", "public", START, opening=True)
    assert (opened.message_count, opened.first_responded_at) == (1, None)


def test_a_ticket_is_full_at_the_bound() -> None:
    full = rules.Progress("open", message_count=rules.MAX_MESSAGES)
    with pytest.raises(rules.TooManyMessages):
        rules.add_message(full, "user", "internal", START)


@given(st.datetimes(timezones=st.just(UTC)), st.none() | st.datetimes(timezones=st.just(UTC)))
def test_a_ticket_stands_in_a_timeline_at_its_later_time(created_at: datetime, solved_at: datetime | None) -> None:
    expected = created_at if solved_at is None or solved_at < created_at else solved_at
    assert rules.timeline_at(created_at, solved_at) == expected
