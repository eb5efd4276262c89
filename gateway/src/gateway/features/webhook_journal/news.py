"""That there is something new in the journals, told to all processes by PostgreSQL when it is committed (NOTIFY)."""

import asyncio
from collections.abc import Callable
from typing import Final
from weakref import WeakSet

from crm_kit.siblings import Siblings

CHANNEL: Final = "webhook_journal"
"""The payload is the tenant's id."""


class News:
    """What one reader hears of a tenant's journal, or of all of them (`tenant_id` None).

    `is_fresh` until it is taken as read; `wake` is set with it, and by whoever else has something for the reader.
    """

    def __init__(self, tenant_id: str | None) -> None:
        self.tenant_id = tenant_id
        self.is_fresh = False
        self.wake = asyncio.Event()
        _readers.add(self)

    def tell(self) -> None:
        self.is_fresh = True
        self.wake.set()


_readers: Final[WeakSet[News]] = WeakSet()


def tell_readers(tenant_id: str) -> None:
    """Those of this process; who does not hear it looks by itself now and then."""
    for reader in list(_readers):
        if reader.tenant_id is None or reader.tenant_id == tenant_id:
            reader.tell()


def share_news(siblings: Siblings) -> Callable[[str], None]:
    """Lets this process's readers hear what another at its port tells so."""
    return siblings.channel(CHANNEL, tell_readers, lambda: None)
