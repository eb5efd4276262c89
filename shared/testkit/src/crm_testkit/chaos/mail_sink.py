"""A mail server that can be as bad as those out there, and remembers what it took."""

import asyncio
from collections import defaultdict
from typing import Final, Literal

from aiosmtpd.smtp import SMTP, Envelope, Session

from crm_testkit.smtp import Delivery, MailServer

MailHarm = Literal["none", "slow", "refuse", "cut"]
HARMS: Final[tuple[MailHarm, ...]] = ("slow", "refuse", "cut")

_SLOW_SECONDS: Final = 3.0


class MailSink(MailServer):
    """`slow`: answers after its clients' patience. `refuse`: 451. `cut`: takes the mail and breaks off unanswered."""

    def __init__(self) -> None:
        super().__init__()
        self.harm: MailHarm = "none"

    async def handle_DATA(  # noqa: N802 # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.harm == "refuse":
            return "451 later"
        said = await super().handle_DATA(server, session, envelope)
        if self.harm == "slow":
            await asyncio.sleep(_SLOW_SECONDS)
        elif self.harm == "cut" and isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        return said

    def by_message(self) -> dict[str, list[Delivery]]:
        """What was taken, by the id that the Message-ID begins with."""
        found: dict[str, list[Delivery]] = defaultdict(list)
        for delivery in self.taken:
            found[str(delivery.message["Message-ID"]).strip("<>").partition("@")[0]].append(delivery)
        return found
