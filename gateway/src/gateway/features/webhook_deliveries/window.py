"""The events of one endpoint that are on their way: what may be sent next, and how far all of it is dealt with."""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from crm_contracts.ids import WebhookDeliveryId
from crm_kit import context
from crm_kit.db.models import utc_now

from gateway.features.webhook_deliveries.attempts import Attempt
from gateway.features.webhook_deliveries.repository import Delivery


@dataclass(slots=True, kw_only=True)
class Item:
    """An event on its way. `body` is what is sent, `own` what the delivery keeps of it; `attempts`: made before.

    `is_new`: there is no delivery of it yet.
    """

    event_id: str
    type: str
    subject: str
    position: int | None
    body: bytes
    chain: context.Chain
    id: str = field(default_factory=WebhookDeliveryId.new)
    created_at: datetime = field(default_factory=utc_now)
    own: bytes | None = None
    attempts: int = 0
    replay_id: str | None = None
    is_new: bool = True

    @property
    def is_of_page(self) -> bool:
        """Of the present state, or of a replay."""
        return self.is_new and (self.position is None or self.replay_id is not None)


class Window:
    """`is_ordered`: of each subject one event at a time; behind one that waits for another attempt the others wait too.

    `settled`: what is to be written down. `freed`: subjects whose waiting event was dealt with. `pages_settled`: how many events
    of a page have been. `held`: subjects of which a delivery waits.
    """

    def __init__(self) -> None:
        self.is_ordered = False
        self.held: set[str] = set()
        self.settled: list[Delivery] = []
        self.freed: set[str] = set()
        self.known: set[int] = set()
        self.pages_settled = 0
        self._ready: deque[Item] = deque()
        self._lanes: dict[str, deque[Item]] = {}
        self._busy: set[str] = set()
        self._flying: set[str] = set()
        self._open: OrderedDict[int, None] = OrderedDict()

    def hold(self, waiting: set[str]) -> None:
        """`waiting`: of which deliveries are written down that wait; those that are not written down yet are held besides."""
        self.held = waiting | {one.subject for one in self.settled if one.status == "waiting"}

    @property
    def ready(self) -> int:
        """How many can be sent."""
        return len(self._ready)

    @property
    def size(self) -> int:
        """How many new events are not dealt with."""
        return len(self._open)

    @property
    def under_way(self) -> Iterable[str]:
        """Deliveries that are not to be taken up again."""
        return [*(item.id for item in self._ready), *self._flying, *(one.id for one in self.settled)]

    def behind(self, head: int) -> int:
        """The position before which all is dealt with, of what was read up to `head`."""
        return next(iter(self._open)) - 1 if self._open else head

    def add_new(self, item: Item) -> None:
        """One of the journal, in its order."""
        assert item.position is not None, "it is of the journal"
        self._open[item.position] = None
        self.add(item)

    def add(self, item: Item, *, first: bool = False) -> None:
        if self.is_ordered:
            if item.is_new and item.subject in self.held:
                self.settle(item, "waiting", held=True)
                return
            if item.subject in self._busy:
                self._lanes.setdefault(item.subject, deque()).append(item)
                return
            self._busy.add(item.subject)
        if first:
            self._ready.appendleft(item)
        else:
            self._ready.append(item)

    def take(self, most: int) -> list[Item]:
        """The next ones to be sent."""
        items = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
        self._flying.update(item.id for item in items)
        return items

    def settle(
        self,
        item: Item,
        status: str,
        attempt: Attempt | None = None,
        *,
        due_at: datetime | None = None,
        held: bool = False,
        error: str | None = None,
    ) -> None:
        """It has arrived, waits, or was given up."""
        self._flying.discard(item.id)
        self.settled.append(
            Delivery(
                id=item.id,
                event_id=item.event_id,
                type=item.type,
                subject=item.subject,
                position=item.position,
                body=item.own,
                replay_id=item.replay_id,
                status=status,
                held=held,
                attempts=item.attempts,
                due_at=due_at,
                created_at=item.created_at,
                finished_at=utc_now() if status != "waiting" else None,
                response_status=attempt.status if attempt else None,
                error=error or (attempt.error if attempt else None),
                entry=attempt.as_json() if attempt else None,
                is_first=item.is_new,
            )
        )
        if item.is_of_page:
            self.pages_settled += 1
        elif item.is_new and item.position is not None:
            self._open.pop(item.position, None)
        if self.is_ordered and not held:
            self._go_on_with(item, waits=status == "waiting")

    def _go_on_with(self, item: Item, *, waits: bool) -> None:
        subject = item.subject
        self._busy.discard(subject)
        lane = self._lanes.pop(subject, None)
        if waits:
            self.held.add(subject)
            for one in lane or ():
                self.settle(one, "waiting", held=True)
            return
        if not item.is_new:
            self.freed.add(subject)
        if lane:
            self._busy.add(subject)
            self._ready.append(lane.popleft())
            if lane:
                self._lanes[subject] = lane

    def written(self, position: int) -> None:
        """What was settled is written down, up to a position."""
        self.known = {each for each in self.known if each > position}
