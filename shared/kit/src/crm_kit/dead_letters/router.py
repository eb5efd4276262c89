"""Dead letters over HTTP, for the gateway: outside `/v1`, so that no client reaches it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from crm_kit.dead_letters import repository
from crm_kit.dead_letters.schemas import LetterList, LetterQuery
from crm_kit.dead_letters.usecases import LetterBox
from crm_kit.errors import NotFound
from crm_kit.http.route import Reading, TransactionRoute, Writing
from crm_kit.resources.responses import check_if_match, entity_response, json_response

router = APIRouter(
    prefix="/internal/dead-letters", tags=["dead-letters"], route_class=TransactionRoute, include_in_schema=False
)


def letter_box(request: Request) -> LetterBox:
    """The letters of the service that answers this request."""
    manifest = request.app.state.runtime.manifest
    return LetterBox(manifest.name, manifest.consumers)


@router.get("")
async def list_letters(request: Request, session: Reading, query: Annotated[LetterQuery, Query()]) -> Response:
    return json_response(request, LetterList(data=await repository.page(session, letter_box(request).service, query)))


@router.get("/{letter_id}")
async def get_letter(request: Request, letter_id: str, session: Reading) -> Response:
    row = await repository.find(session, letter_id)
    if row is None:
        raise NotFound
    return entity_response(request, repository.content(row, letter_box(request).service))


@router.post("/{letter_id}/replay")
async def replay_letter(request: Request, letter_id: str, session: Writing) -> Response:
    box = letter_box(request)
    letter = await box.lock(session, letter_id)
    check_if_match(request, letter.version)
    return json_response(request, await box.replay(session, letter))


@router.delete("/{letter_id}")
async def discard_letter(request: Request, letter_id: str, session: Writing) -> Response:
    box = letter_box(request)
    letter = await box.lock(session, letter_id)
    check_if_match(request, letter.version)
    await box.discard(session, letter)
    return Response(status_code=204, headers={"Consistency-Token": f"{letter.id}@{letter.version + 1}"})
