"""The tables that a consumer makes out of the log, and how they are made anew beside the live ones."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from crm_contracts.envelope import Event

from crm_kit.db.session import Database, WriteSession

LIVE_SCHEMA: Final = "public"
"""Where the live tables are. The new ones have the same names and come first in the search path."""

Load = Callable[[WriteSession, Sequence[Event]], Awaitable[None]]
Complete = Callable[[Database, Database], AsyncIterator[tuple[int, int]]]
Match = Callable[[WriteSession], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Tables that hold nothing but what the consumer made of events: `python -m <service> rebuild` makes them anew.

    The three functions are for a projection that its handler alone would rebuild slowly, or not the same:

    `load` applies the events of the past in place of the handler, and may leave out what `complete` then does once:
    it is given the new tables as their owner, who sees all tenants in them and in the live ones, and as the
    application; it yields how much of how much is done. `match` runs when both have read the same events, as the
    owner: what the new tables say as the live ones do, it gives the same versions and times.
    `by_default`: it is what `rebuild` means where no consumer is named.
    """

    tables: tuple[str, ...]
    load: Load | None = None
    complete: Complete | None = None
    match: Match | None = None
    by_default: bool = True
