"""What one endpoint is told besides what is new: the present state before that, and replays beside it, a page at a time.

A page is dealt with as a whole before the next is taken: how far it has come is one place.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from crm_kit.db.session import Database, ReadSession, WriteSession

from gateway.features.webhook_deliveries import reading
from gateway.features.webhook_deliveries.reading import Told
from gateway.features.webhook_deliveries.repository import Delivery
from gateway.features.webhook_endpoints.rules import is_meant
from gateway.features.webhook_journal import repository as journal
from gateway.features.webhook_journal.cursors import Place
from gateway.features.webhook_journal.repository import Entry
from gateway.features.webhook_replays import repository as replays
from gateway.upstream import ServiceClient

_REPLAY_PAGE: Final = 200


class PageSource:
    """Of one endpoint, from where it stands on."""

    def __init__(self, services: ServiceClient, position: int, snapshot: str | None) -> None:
        self._services = services
        self._place = Place(position, snapshot)
        self._next: Place | None = None
        self._replay: Any = None
        self._replayed: tuple[int, bool] | None = None
        self._under_way = 0

    @property
    def is_in_snapshot(self) -> bool:
        return self._place.snapshot is not None

    @property
    def snapshot(self) -> str | None:
        return self._place.snapshot

    @property
    def position(self) -> int:
        return self._place.position

    @property
    def is_wanted(self) -> bool:
        """Whether a page can be taken."""
        return not self._under_way and not self.is_dealt_with and (self.is_in_snapshot or self._replay is not None)

    @property
    def is_dealt_with(self) -> bool:
        """Whether there is a page all of which is settled, and that is not written down."""
        return not self._under_way and (self._next is not None or self._replayed is not None)

    async def look(self, session: ReadSession, endpoint_id: str) -> None:
        """Whether somebody wants a replay."""
        if self._replay is None and not self._under_way:
            self._replay = await replays.next_of(session, endpoint_id)

    async def next(
        self, database: Database, tenant_id: str, endpoint: reading.Endpoint
    ) -> Sequence[tuple[Told, str | None]]:
        """The next page, each event with its replay. Raises UpstreamUnavailable."""
        assert endpoint.matcher is not None, "whoever sees nothing is not told anything"
        if self.is_in_snapshot:
            page = await reading.read_snapshot(self._services, endpoint.matcher.principal, endpoint, self._place)
            self._next, self._under_way = page.place, len(page.told)
            return [(told, None) for told in page.told]
        replay = self._replay
        async with database.read(tenant_id) as session:
            entries = await journal.after(session, replay["position"], _REPLAY_PAGE, until=replay["until"])
        found = []
        for entry in entries:
            outcome = endpoint.matcher.of(entry.type, entry.actor_id, entry.body) if _fits(replay, entry) else None
            if outcome is not None and outcome.body is not None:
                told = Told(
                    str(entry.position), entry.position, entry.event_id, entry.type, entry.subject, outcome.body
                )
                found.append((told, str(replay["id"])))
        reached = entries[-1].position if entries else replay["until"]
        self._replayed = (reached, len(entries) < _REPLAY_PAGE)
        self._under_way = len(found)
        return found

    def settled(self, events: int) -> None:
        """So many events of the page have arrived, or wait."""
        self._under_way -= events

    async def write(self, session: WriteSession, settled: Sequence[Delivery]) -> None:
        """What became of replays' deliveries, and how far they have come; where the present state is, the endpoint's own place says."""
        counts: dict[str, Counter[str]] = {}
        for one in settled:
            if one.replay_id is not None:
                counts.setdefault(one.replay_id, Counter()).update([one.status, *(["found"] if one.is_first else [])])
        for replay_id in sorted(counts):
            await replays.count(session, replay_id, counts[replay_id])
        if not self.is_dealt_with:
            return
        if self._next is not None:
            self._place, self._next = self._next, None
            return
        assert self._replayed is not None
        position, done = self._replayed
        await replays.reached(session, self._replay["id"], position, done=done)
        self._replay = None if done else {**self._replay, "position": position}
        self._replayed = None


def _fits(replay: Any, entry: Entry) -> bool:
    if replay["from_at"] is not None and entry.time < replay["from_at"]:
        return False
    if replay["until_at"] is not None and entry.time >= replay["until_at"]:
        return False
    if replay["customer_id"] is not None and replay["customer_id"] not in (entry.contact_id, entry.account_id):
        return False
    return not replay["kinds"] or is_meant(replay["kinds"], entry.type)
