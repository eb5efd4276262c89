"""The services' states of entities, asked for in one tenant's name."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import orjson
from crm_contracts.types import Contract
from crm_kit.http.principal import Principal
from crm_kit.states.schemas import MAX_IDS, EntityState, IdList, Restated, StatePage, States
from pydantic import ValidationError

from gateway.upstream import Service, ServiceClient, UpstreamUnavailable

_PATH: Final = "/internal/entities"
_SECONDS: Final = 10.0

AnswerT = TypeVar("AnswerT", bound=Contract)


class StateClient:
    """Every method raises UpstreamUnavailable where the service does not answer, or not as it should."""

    def __init__(self, services: ServiceClient, principal: Principal) -> None:
        self._services = services
        self._principal = principal

    async def states(self, service: Service, ids: Sequence[str]) -> tuple[Mapping[str, EntityState], set[str]]:
        """The entities that there are, and which of the ids have events that are not published yet."""
        found: dict[str, EntityState] = {}
        unpublished: set[str] = set()
        for start in range(0, len(ids), MAX_IDS):
            answer = await self._ask(service, "states", States, ids=list(ids[start : start + MAX_IDS]))
            found |= {state.id: state for state in answer.data}
            unpublished |= set(answer.unpublished)
        return found, unpublished

    async def owned(self, service: Service, owners: Sequence[str], after: str) -> StatePage:
        return await self._ask(service, "owned", StatePage, owners=list(owners), after=after)

    async def ids(self, service: Service, kind: str, limit: int, *, after: str = "", random: bool = False) -> list[str]:
        return (await self._ask(service, "ids", IdList, type=kind, limit=limit, after=after, random=random)).data

    async def restate(self, service: Service, ids: Sequence[str]) -> None:
        """Has the service publish these entities once more."""
        for start in range(0, len(ids), MAX_IDS):
            await self._ask(service, "restate", Restated, ids=list(ids[start : start + MAX_IDS]))

    async def _ask(self, service: Service, what: str, answer: type[AnswerT], **asked: Any) -> AnswerT:
        path, body = f"{_PATH}/{what}", orjson.dumps(asked)
        response = await self._services.post(self._principal, service, path, body, timeout=_SECONDS)
        if response.status_code != 200:
            raise UpstreamUnavailable(service)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise UpstreamUnavailable(service) from error
