"""The services' letters, asked of all of them at once: an id does not say in which service its letter lies."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from crm_kit.dead_letters.schemas import DeadLetter, LetterList, LetterQuery
from crm_kit.http.principal import Principal
from fastapi import Request

from gateway.owners import passed_on
from gateway.upstream import Service, ServiceClient

PATH: Final = "/internal/dead-letters"


async def list_letters(
    request: Request, caller: Principal, query: LetterQuery, services: Sequence[Service]
) -> tuple[list[DeadLetter], list[Service]]:
    """The letters of those that answered, each newest first, and who did not answer."""
    params = urlencode(query.model_dump(mode="json", exclude_none=True))
    seconds: float = request.app.state.settings.live_deadline_seconds
    client: ServiceClient = request.app.state.services
    lists, degraded = await client.read_each(
        caller, services, f"{PATH}?{params}", LetterList, headers=passed_on(request), timeout=seconds
    )
    return [letter for one in lists for letter in one.data], degraded
