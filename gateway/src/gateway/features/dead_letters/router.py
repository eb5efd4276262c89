"""Dead letters over HTTP: the gateway's own first, then whoever of the services has the letter."""

from dataclasses import replace
from typing import Annotated, Final

from crm_contracts.ids import DeadLetterId, prefix_of
from crm_kit.db.session import ReadSession
from crm_kit.dead_letters import repository
from crm_kit.dead_letters import router as own
from crm_kit.dead_letters.schemas import DeadLetter, DeadLetterContent, LetterFilter, LetterList, LetterQuery, Replay
from crm_kit.errors import NotFound
from crm_kit.http.principal import Principal
from crm_kit.http.route import Caller, Reading, TransactionRoute, Writing
from crm_kit.resources import EntityPath, entity_response, json_response
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from gateway.features.dead_letters.schemas import DeadLetterPage, DeadLetterQuery
from gateway.merged_lists import MergedPage, page_response
from gateway.owners import ask_each, ask_owner, read_answer
from gateway.upstream import SERVICES

router = APIRouter(prefix="/v1/dead-letters", tags=["dead-letters"], route_class=TransactionRoute)

_OWN: Final = "gateway"
_PATH: Final = "/internal/dead-letters"


@router.get("", operation_id="list_dead_letters", response_model=DeadLetterPage)
async def list_dead_letters(
    request: Request, session: Reading, caller: Caller, query: Annotated[DeadLetterQuery, Query()]
) -> Response:
    """List the events that could not be published or applied, newest first."""
    caller = _as_operator(session, caller)
    wanted = query.model_dump(exclude={"limit", "cursor"})
    merged = MergedPage[DeadLetter](request, session, "dead-letters", wanted, query.limit)
    narrowed = {name: wanted[name] for name in LetterFilter.model_fields}
    after = merged.after(query.cursor)
    asked = LetterQuery(**narrowed, before=DeadLetterId(after) if after else None, limit=query.limit + 1)
    services = [service for service in SERVICES if query.service in (None, service)]
    lists, degraded = await ask_each(request, caller, services, _PATH, asked, LetterList)
    letters = [letter for one in lists for letter in one.data]
    if query.service in (None, _OWN):  # last, so that no connection is held while the services are asked
        letters += await repository.page(session, _OWN, asked)
    page, next_cursor = merged.cut(letters)
    return page_response(request, DeadLetterPage(data=page, next_cursor=next_cursor, degraded=list(degraded)))


@router.get("/{entity_id}", operation_id="get_dead_letter", response_model=DeadLetterContent)
async def get_dead_letter(request: Request, entity_id: EntityPath, session: Reading, caller: Caller) -> Response:
    """Read a dead letter with the record's headers and payload."""
    caller = _as_operator(session, caller)
    try:
        return await own.get_letter(request, entity_id, session)
    except NotFound:
        _check_form(entity_id)
    answer = await ask_owner(request, caller, f"{_PATH}/{entity_id}")
    return entity_response(request, read_answer(DeadLetterContent, answer))


@router.post("/{entity_id}/replay", operation_id="replay_dead_letter", response_model=Replay)
async def replay_dead_letter(request: Request, entity_id: EntityPath, session: Writing, caller: Caller) -> Response:
    """Apply a dead letter once more, with what waits behind it; or publish it once more."""
    caller = _as_operator(session, caller)
    try:
        return await own.replay_letter(request, entity_id, session)
    except NotFound:
        _check_form(entity_id)
    answer = await ask_owner(request, caller, f"{_PATH}/{entity_id}/replay")
    return json_response(request, read_answer(Replay, answer))


@router.delete("/{entity_id}", operation_id="discard_dead_letter", status_code=204, response_class=Response)
async def discard_dead_letter(request: Request, entity_id: EntityPath, session: Writing, caller: Caller) -> Response:
    """Discard a dead letter: its event is never applied, and what waits behind it goes on."""
    caller = _as_operator(session, caller)
    try:
        return await own.discard_letter(request, entity_id, session)
    except NotFound:
        _check_form(entity_id)
    answer = await ask_owner(request, caller, f"{_PATH}/{entity_id}")
    return Response(status_code=204, headers={"Consistency-Token": answer.headers["Consistency-Token"]})


def _as_operator(session: ReadSession, caller: Principal) -> Principal:
    """The caller without rights of their own: who may see letters at all sees them as they are."""
    session.sights = None
    return replace(caller, rights=None)


def _check_form(entity_id: str) -> None:
    """Raises NotFound for what can be no letter's id: nobody need be asked."""
    if prefix_of(entity_id) != DeadLetterId.prefix:
        raise NotFound
