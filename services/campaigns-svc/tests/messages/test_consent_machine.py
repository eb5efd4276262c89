"""Whatever comes in whatever order: once it can be seen here that somebody does not want to be written to, no letter is begun."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from crm_testkit.service import ServiceUnderTest
from crm_testkit.smtp import Delivery
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.long

Shop = Any  # the fixture's class lives in conftest.py, which is no module to import from

_PEOPLE: Final = 3
_SLOWLY: Final = 0.15

_EACH: Final = ("grant", "withdraw", "late grant", "silence", "speak", "restrict", "lift", "click", "refuse")
steps = st.lists(
    st.one_of(
        st.just(("launch", 0)),
        st.tuples(st.sampled_from(_EACH), st.integers(0, _PEOPLE - 1)),
    ),
    min_size=4,
    max_size=14,
)


@dataclass
class Person:
    """What is true of somebody, and when it could be seen that they must not be written to: from each moment to the next."""

    contact_id: str
    address: str
    granted: bool = True
    silent: bool = False
    restricted: bool = False
    version: int = 1
    number: int = 1
    since: datetime | None = None
    closed: list[tuple[datetime, datetime]] = field(default_factory=list)

    @property
    def is_blocked(self) -> bool:
        return self.silent or self.restricted or not self.granted

    def was_closed(self, at: datetime) -> bool:
        since = [(self.since, datetime.max.replace(tzinfo=UTC))] if self.since else []
        return any(begin < at < end for begin, end in (*self.closed, *since))


class Post:
    """A mail server that takes its time, and now and then refuses once; which messages it was offered."""

    def __init__(self) -> None:
        self.offered: Counter[str] = Counter()
        self.refuse: set[str] = set()

    async def answer(self, delivery: Delivery) -> str:
        await asyncio.sleep(_SLOWLY)
        self.offered[str(delivery.message["Message-ID"])] += 1
        if (to := delivery.recipients[0]) in self.refuse:
            self.refuse.discard(to)
            return "451 later"
        return "250 OK"


class Story:
    """One tenant, what happens to it, and what may have come of that."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.post = Post()
        self.people: list[Person] = []
        self.campaigns: list[dict[str, Any]] = []
        self.made: dict[str, Any] = {}

    async def begin(self) -> None:
        self.people = [Person(*one) for one in await self.shop.people(_PEOPLE)]
        for person in self.people:
            self.shop.mail.answers[person.address] = self.post.answer
        template = await self.shop.template()
        segment = await self.shop.segment(*(person.contact_id for person in self.people))
        self.made = {"name": "Spring", "segment_id": segment["id"], "template_id": template["id"]}

    async def launch(self) -> None:
        campaign = await self.shop.tenant.create("/v1/campaigns", **self.made)
        await self.shop.act(campaign, "schedule")
        self.campaigns.append(campaign)

    async def happens(self, what: str, person: Person) -> None:
        now = datetime.now(UTC)
        if what == "refuse":
            self.post.refuse.add(person.address)
        elif what == "click":
            await self._click(person)
        elif what in ("grant", "withdraw"):
            person.number += 1
            status = "granted" if what == "grant" else "withdrawn"
            told = self.shop.consent(person.contact_id, status, person.number, at=now)
            await self._becomes(person, told, granted=what == "grant")
        elif what == "late grant":  # it was given before all else, and is told only now
            person.number += 1
            old = now - timedelta(days=30)
            await self._becomes(person, self.shop.consent(person.contact_id, "granted", person.number, at=old))
        else:
            flags = {
                "silence": {"silent": True},
                "speak": {"silent": False},
                "restrict": {"restricted": True},
                "lift": {"restricted": False},
            }[what]
            after = {"silent": person.silent, "restricted": person.restricted, **flags}
            person.version += 1
            told = self.shop.contact(
                person.contact_id,
                person.version,
                "updated",
                full_name="李雷",
                emails=[{"address": person.address, "primary": True, "verified": False}],
                do_not_contact=after["silent"],
                restricted=after["restricted"],
            )
            await self._becomes(person, told, **flags)

    async def _becomes(self, person: Person, told: Any, **after: bool) -> None:
        before = datetime.now(UTC)
        await self.shop.publish(told)
        for name, value in after.items():
            setattr(person, name, value)
        self._mark(person, before)

    async def _click(self, person: Person) -> None:
        """In the newest letter, if there is one."""
        letters = self.shop.mail.to(person.address)
        if letters:
            link = str(letters[-1].message["List-Unsubscribe"])[1:-1]
            answer = await self.shop.service.anonymous().post(self.shop.local(link))
            assert answer.status_code == 200, answer.text
            person.granted = False
            self._mark(person, datetime.now(UTC))

    def _mark(self, person: Person, before: datetime) -> None:
        """`before`: until then nobody could have seen what has just been told."""
        if person.is_blocked and person.since is None:
            person.since = datetime.now(UTC)
        elif not person.is_blocked and person.since is not None:
            person.closed.append((person.since, before))
            person.since = None

    async def ends(self) -> None:
        for campaign in self.campaigns:
            await self.shop.until(campaign, "sent")
        by_id = {person.contact_id: person for person in self.people}
        begun: Counter[str] = Counter()
        for event in await self._messages():
            said = event.entity
            if said is not None and said["status"] == "sending":
                begun[event.subject] += 1
                checked_at = datetime.fromisoformat(said["consent"]["checked_at"])
                assert not by_id[said["contact_id"]].was_closed(checked_at), (said, by_id[said["contact_id"]])
        told = {mail_id: next(one for one in begun if one in mail_id) for mail_id in self.post.offered}
        assert all(number <= begun[told[mail_id]] for mail_id, number in self.post.offered.items())

    async def _messages(self) -> list[Any]:
        found = await self.shop.service.events("crm.campaigns.message", at_least=0)
        return [event for event in found if event.tenant_id == self.shop.tenant.id]


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each example takes seconds
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example([("launch", 0), ("withdraw", 0), ("launch", 0), ("late grant", 0)])
@example([("refuse", 1), ("launch", 0), ("silence", 1), ("restrict", 2), ("launch", 0), ("lift", 2)])
@example([("launch", 0), ("refuse", 0), ("click", 0), ("launch", 0), ("grant", 0)])
@given(steps)
async def test_no_letter_is_begun_once_a_no_can_be_seen(
    service: ServiceUnderTest, shop_of: Callable[[ServiceUnderTest], Shop], steps: list[tuple[str, int]]
) -> None:
    """Those that were handed over before may still arrive, each as often as it was begun."""
    story = Story(shop_of(service))
    await story.begin()
    for what, who in [*steps, ("launch", 0)]:
        await (story.launch() if what == "launch" else story.happens(what, story.people[who]))
    await story.ends()
