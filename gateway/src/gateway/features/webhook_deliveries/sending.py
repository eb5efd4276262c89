"""Tells one endpoint what there is for it, until there is nothing more to do now.

Events are taken from the journal in their order, several at a time. One that does not arrive becomes a delivery that waits for
its next attempt, and the others go on. So the endpoint's position always moves: behind it everything has arrived, or waits.
Whatever is killed meanwhile, what was not written down is told again.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from crm_kit import context
from crm_kit.db.models import utc_now
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.http.origin import chain_headers

from gateway.features.webhook_deliveries import reading, repository
from gateway.features.webhook_deliveries.attempts import Requests, in_array
from gateway.features.webhook_deliveries.condition import Condition
from gateway.features.webhook_deliveries.means import Means
from gateway.features.webhook_deliveries.pages import PageSource
from gateway.features.webhook_deliveries.repository import Standing
from gateway.features.webhook_deliveries.telling import send_told
from gateway.features.webhook_deliveries.window import Item, Window
from gateway.features.webhook_endpoints.matching import Matcher
from gateway.features.webhook_endpoints.usecases import stop_endpoint
from gateway.features.webhook_journal import repository as journal
from gateway.features.webhook_journal.news import News
from gateway.upstream import UpstreamUnavailable

_AT_ONCE: Final = 32
"""Requests to one endpoint at a time."""

_AT_FIRST: Final = 4
"""Until it has taken one: many that never answer must not hold all of the process's connections."""

_WINDOW: Final = 400
"""Events that are taken from the journal before those before them are written down."""

_FIRST_WINDOW: Final = 2 * _AT_FIRST

_FLUSH_SECONDS: Final = 0.05
_FLUSH_AT: Final = 200
_LOOK_SECONDS: Final = 1.0
"""How old what is known of the endpoint may be."""

_LINGER_SECONDS: Final = 0.3
_GATHER_SECONDS: Final = 0.02
_UPSTREAM_REST: Final = timedelta(seconds=5)
_PROBED_WAITING: Final = 100
"""An endpoint that fails is asked with new events only while fewer wait."""


class Sender:
    """Of one endpoint."""

    def __init__(self, means: Means, tenant_id: str, endpoint_id: str) -> None:
        self._means = means
        self._tenant_id = tenant_id
        self._id = endpoint_id

    async def run(self) -> None:
        """Raises what the database raises; then nothing is lost but that some may be told twice."""
        async with self._means.database.read(self._tenant_id) as session:
            standing = await repository.standing(session, self._id)
            if standing is None or not standing.is_on:
                return
            head = await journal.head(session)
            run = _Run(self._means, self._tenant_id, self._id, standing, forgotten=head.forgotten)
            run.window.known = await repository.positions_behind(session, self._id, standing.position)
            await run.look(session)
        await run.go_on()


class _Run:
    """From its start until there is nothing more to do."""

    def __init__(
        self,
        means: Means,
        tenant_id: str,
        endpoint_id: str,
        standing: Standing,
        *,
        forgotten: int,
    ) -> None:
        self.window = Window()
        self._means = means
        self._tenant_id = tenant_id
        self._id = endpoint_id
        self._news = News(tenant_id)
        self._seen_at = standing.changed_at
        self._condition = Condition(standing)
        self._pages = PageSource(means.services, standing.position, standing.snapshot)
        self._head = max(standing.position, forgotten)
        self._endpoint: reading.Endpoint | None = None
        self._requests: Requests | None = None
        self._waiting = 0
        self._over = False
        self._exhausted = False
        self._flying: set[asyncio.Task[None]] = set()
        self._writing: asyncio.Task[None] | None = None
        self._looked_at = self._flushed_at = self._read_at = time.monotonic()
        self._next_at = 0.0

    async def go_on(self) -> None:
        idle_since = time.monotonic()
        try:
            while not self._over:
                self._news.wake.clear()
                await self._fill()
                self._launch()
                if self._condition.is_resting:  # what is ready is taken up again when it may be asked
                    break
                if self._flying or self.window.settled or self.window.ready or self._pages.is_dealt_with:
                    idle_since = time.monotonic()
                elif time.monotonic() - idle_since > _LINGER_SECONDS:
                    break
                if not self._pages.is_dealt_with:
                    await self._wait()
                await self._flush_when_due()
            if self._flying:
                await asyncio.wait(self._flying)
            if self._condition.is_failing and not self._condition.is_resting:
                self._condition.leave_alone()
            await self._written()
            await self._flush()
        finally:
            for task in [*self._flying, *([self._writing] if self._writing is not None else [])]:
                task.cancel()

    async def look(self, session: ReadSession) -> None:
        """At the endpoint as it is now, and at what waits."""
        self._looked_at = time.monotonic()
        endpoint = await reading.load(session, self._id)
        if endpoint is None or not await self._is_as_it_was(session):
            self._over = True
            return
        if endpoint.matcher is None:
            self._over = True
            with context.use(self._context()):
                async with self._means.database.write(self._tenant_id) as writing:
                    await stop_endpoint(writing, self._id, "no_rights")
            return
        self._endpoint = endpoint
        settings = self._means.settings
        self._requests = Requests(
            self._means.pool,
            endpoint.row,
            self._means.seal,
            endpoint.at,
            seconds=settings.webhook_timeout_seconds,
            connect_seconds=settings.webhook_connect_seconds,
        )
        self.window.is_ordered = endpoint.row.ordering == "entity"
        if self.window.is_ordered:
            self.window.hold(await repository.waiting_subjects(session, self._id))
        self._waiting = await repository.count_waiting(session, self._id)
        await self._take_due(session, endpoint.matcher)
        await self._pages.look(session, self._id)

    async def _take_due(self, session: ReadSession, matcher: Matcher) -> None:
        limit = _WINDOW - self.window.ready
        if self._condition.is_failing:
            limit = 0 if self._flying or self.window.ready else 1
        if limit <= 0:
            return
        for row in await repository.due(session, self._id, list(self.window.under_way), limit):
            body = row["body"]
            if body is not None and not row["is_own"]:  # as it may be seen now
                body = matcher.of(row["type"], row["actor_id"], body).body
            item = Item(
                id=row["id"],
                event_id=row["event_id"],
                type=row["type"],
                subject=row["subject"],
                position=row["position"],
                body=body or b"",
                chain=context.Chain(row["correlation_id"], row["event_id"], row["hops"]),
                created_at=row["created_at"],
                attempts=row["attempts"],
                replay_id=row["replay_id"],
                is_new=False,
            )
            if body is None:  # what it would tell is kept no more, or not for this endpoint any more
                self.window.settle(item, "failed", error="not_kept")
            else:
                self.window.add(item, first=True)

    async def _fill(self) -> None:
        """Takes what is due, and what is new, as far as there is room."""
        if self._condition.is_resting or self._over:
            return
        is_stale = time.monotonic() - self._looked_at > _LOOK_SECONDS
        # Who has taken nothing yet may be dead: events are not read for many of those, again and again.
        most = _WINDOW if self._condition.succeeded_at else _FIRST_WINDOW
        room = most - max(self.window.size, self.window.ready)
        wants_new = self._wants_new() and room > most // 2 and (not self._exhausted or self._news.is_fresh)
        if is_stale:
            await self._written()
        if wants_new or is_stale:
            self._read_at = time.monotonic()
            async with self._means.database.read(self._tenant_id) as session:
                if is_stale:
                    await self.look(session)
                elif not await self._is_as_it_was(session):
                    self._over = True
                if wants_new and not self._over and self._endpoint is not None and self._endpoint.matcher is not None:
                    await self._take_new(session, self._endpoint.matcher, 1 if self._condition.is_failing else room)
        if self._pages.is_wanted and not self._over and not self._condition.is_failing:
            await self._take_page()

    async def _is_as_it_was(self, session: ReadSession) -> bool:
        """Whether nobody has paused it, or set it to another place: what is new must not be sent then."""
        standing = await repository.standing(session, self._id)
        return standing is not None and standing.is_on and standing.changed_at == self._seen_at

    def _wants_new(self) -> bool:
        if self._pages.is_in_snapshot or self._waiting >= repository.MOST_WAITING:
            return False
        if self._condition.is_failing:
            return not self._flying and not self.window.ready and self._waiting < _PROBED_WAITING
        return True

    async def _take_new(self, session: ReadSession, matcher: Matcher, limit: int) -> None:
        self._news.is_fresh = False
        entries = await journal.after(session, self._head, limit)
        self._exhausted = len(entries) < limit
        for entry in entries:
            self._head = entry.position
            outcome = matcher.of(entry.type, entry.actor_id, entry.body)
            if outcome.body is None or entry.position in self.window.known:
                continue
            self.window.add_new(
                Item(
                    event_id=entry.event_id,
                    type=entry.type,
                    subject=entry.subject,
                    position=entry.position,
                    body=outcome.body,
                    chain=context.Chain(entry.correlation_id, entry.event_id, entry.hops),
                )
            )

    async def _take_page(self) -> None:
        """Of the present state, or of a replay: the next page once the one before has been dealt with."""
        assert self._endpoint is not None, "it was looked at"
        try:
            page = await self._pages.next(self._means.database, self._tenant_id, self._endpoint)
        except UpstreamUnavailable:
            self._condition.leave_alone(_UPSTREAM_REST)
            return
        for told, replay_id in page:
            self.window.add(
                Item(
                    event_id=told.event_id,
                    type=told.type,
                    subject=told.subject,
                    position=told.position,
                    body=told.body,
                    chain=context.Chain(None, told.event_id, 0),
                    own=told.body if told.position is None else None,
                    replay_id=replay_id,
                )
            )
        self._settle_pages()

    def _settle_pages(self) -> None:
        self._pages.settled(self.window.pages_settled)
        self.window.pages_settled = 0

    def _launch(self) -> None:
        if self._endpoint is None or self._over:
            return
        row = self._endpoint.row
        most = 1 if self._condition.is_failing else _AT_ONCE if self._condition.succeeded_at else _AT_FIRST
        while self.window.ready and len(self._flying) < most and not self._condition.is_resting:
            if row.rate_limit is not None:
                now = time.monotonic()
                if now < self._next_at:
                    return
                self._next_at = max(self._next_at, now) + 1 / row.rate_limit
            is_batch = row.batch_size > 1
            task = asyncio.create_task(self._try(self.window.take(row.batch_size), is_batch=is_batch))
            self._flying.add(task)
            task.add_done_callback(self._landed)

    def _landed(self, task: "asyncio.Task[None]") -> None:
        self._flying.discard(task)
        self._news.wake.set()
        if not task.cancelled():
            task.exception()

    async def _try(self, items: Sequence[Item], *, is_batch: bool) -> None:
        assert self._requests is not None, "it was looked at"
        farthest = max(items, key=lambda item: item.chain.hops)
        body = in_array([item.body for item in items]) if is_batch else items[0].body
        attempt = await send_told(
            self._requests, items, body, chain_headers(farthest.chain),
            tenant_id=self._tenant_id, endpoint_id=self._id, is_batch=is_batch,
        )  # fmt: skip
        self._condition.note(attempt)
        for item in items:
            item.attempts += 1
            if attempt.is_success:
                self.window.settle(item, "delivered", attempt)
                continue
            again = self._condition.next_attempt(item.attempts, attempt, item.created_at)
            self.window.settle(item, "failed" if again is None else "waiting", attempt, due_at=again)
        self._settle_pages()

    async def _wait(self) -> None:
        """For something that has come of a request, for news, or until the next thing is to be written, read or sent."""
        if self._news.wake.is_set():
            await asyncio.sleep(0)
            return
        seconds = _FLUSH_SECONDS if self.window.settled else _LINGER_SECONDS
        if self.window.ready and self._next_at > time.monotonic():
            seconds = min(seconds, self._next_at - time.monotonic())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wake.wait(), seconds)
        since = time.monotonic() - self._read_at
        if self._exhausted and self._news.is_fresh and not self.window.ready and since < _GATHER_SECONDS:
            await asyncio.sleep(_GATHER_SECONDS - since)

    async def _flush_when_due(self) -> None:
        settled = len(self.window.settled)
        is_due = settled >= _FLUSH_AT or time.monotonic() - self._flushed_at >= _FLUSH_SECONDS
        is_quiet = not self._flying and not self.window.ready
        if self._pages.is_dealt_with:
            await self._written()
            await self._flush()
        elif settled and (is_due or is_quiet) and (self._writing is None or self._writing.done()):
            await self._written()
            self._writing = asyncio.create_task(self._flush())  # what comes meanwhile is sent meanwhile
            self._writing.add_done_callback(self._landed)

    async def _written(self) -> None:
        """What was settled is no longer on its way into the database. Raises what it raised."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing

    async def _flush(self) -> None:
        """Writes down what has been settled, and how far the endpoint has come."""
        window, condition = self.window, self._condition
        settled, window.settled = window.settled, []
        freed, window.freed = window.freed, set()
        recovered, condition.recovered = condition.recovered, False
        position = window.behind(self._head)
        self._flushed_at = time.monotonic()
        with context.use(self._context()):
            async with self._means.database.write(self._tenant_id, always=True) as session:
                await repository.store(session, self._id, settled)
                # What was taken up as held while its subject was being freed has nothing before it any more.
                held = {one.subject for one in settled if one.held}
                await repository.release(session, self._id, sorted(freed | held))
                if recovered:
                    await repository.try_all_at_once(session, self._id)
                await self._pages.write(session, settled)
                await self._advance(session, position)
        window.written(position)
        if freed or recovered:
            self._looked_at = 0.0

    async def _advance(self, session: WriteSession, position: int) -> None:
        """Writes down where it stands, and stops an endpoint that is gone, or of which nothing was taken for long."""
        told = await repository.advance(
            session,
            self._id,
            self._seen_at,
            self._pages.position if self._pages.is_in_snapshot else position,
            self._pages.snapshot,
            failures=self._condition.failures,
            failed_at=self._condition.failed_at,
            succeeded_at=self._condition.succeeded_at,
            rest_until=self._condition.rest_until,
        )
        if told is None:
            self._over = True
            return
        since = told["failing_since"]
        is_hopeless = since is not None and utc_now() - since > timedelta(
            hours=self._means.settings.webhook_pause_hours
        )
        if self._condition.is_gone or is_hopeless:
            self._over = True
            await stop_endpoint(session, self._id, "gone" if self._condition.is_gone else "failing")

    def _context(self) -> context.Context:
        return context.Context(context.unrecorded_trace(), f"webhooks-{self._id}", self._tenant_id, "service/gateway")
