"""`GET /v1/customers?q=`: what is asked, understood; what the caller has written, waited for; what is found, a page at a time."""

from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple

from crm_kit.custom_fields import DeclaredFields
from crm_kit.db.session import Database, ReadSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from sqlalchemy import text
from starlette.requests import Request

from gateway.features.customers.reading import parse_consistency_token, refresh_view, wait_for
from gateway.features.customers.schemas import PartialReason
from gateway.features.customers.search.filling import is_filling
from gateway.features.customers.search.finding import Hit, Place, find
from gateway.features.customers.search.numbers import find_numbers
from gateway.features.customers.search.query import MAX_WORDS, SearchQuery, TooManyWords, understood
from gateway.features.customers.search.visibility import visibility
from gateway.features.customers.sight import Sight
from gateway.recent_writes import REMEMBERED_SECONDS, RecentWrites

_STALE_OF: Final = text(
    """
    select distinct s.customer_id from stale_customer s
     where s.customer_id = any(array(
           select unnest(array[e.id, e.contact_id, e.account_id]) from entity e where e.id = any(:ids)))
    """
)


class Answer(NamedTuple):
    """`following`: the place of the last hit, where others follow."""

    hits: list[Hit]
    following: Place | None
    partial: list[PartialReason]


def understand(asked: str | None) -> SearchQuery | None:
    """None where nothing is asked for. Raises ValidationFailed."""
    try:
        return understood(asked) if asked is not None else None
    except TooManyWords as error:
        detail = Text(f"Search for {MAX_WORDS} words at most.", f"最多搜索 {MAX_WORDS} 个词。")
        raise ValidationFailed(detail, errors=[FieldError("?q", "too_many_words", detail)]) from error


async def catch_up(request: Request, caller: Principal) -> bool:
    """Whether the index has the writes that `Consistency-Token` names, and those that this process has just passed on for the
    caller; waits for them as the view of one customer does. Raises MalformedRequest.
    """
    state, tenant_id = request.app.state, caller.tenant_id
    assert tenant_id is not None, "customers are a tenant's"
    token = request.headers.get("consistency-token")
    named = parse_consistency_token(token) if token is not None else {}
    recent: RecentWrites = state.recent_writes
    mine = recent.by(tenant_id, caller.subject)
    database: Database = state.database
    there = await wait_for(database, tenant_id, named, state.settings.consistency_wait_seconds)
    if mine and (caught_up := await wait_for(database, tenant_id, mine, REMEMBERED_SECONDS)):
        recent.seen_by(tenant_id, caller.subject, mine)
        there = there and caught_up
    if named or mine:
        async with database.read(tenant_id) as session:
            stale = list(await session.scalars(_STALE_OF, {"ids": [*named, *mine]}))
        for customer_id in stale:
            await refresh_view(database, tenant_id, customer_id)
    return there


async def search(
    session: ReadSession,
    query: SearchQuery,
    seen: Mapping[str, Sight | None],
    declared: DeclaredFields,
    *,
    archived: bool | None,
    after: Place | None,
    limit: int,
) -> Answer:
    """The best of those that the caller may see and find."""
    sight = next((each for each in seen.values() if each is not None), None)
    numbered = await find_numbers(session, query, sight)
    visible = partial(visibility, session, seen, declared)
    found = await find(session, query, numbered.matches, visible, archived=archived, after=after, limit=limit)
    reasons: list[PartialReason] = [] if found.is_complete and numbered.is_complete else ["common"]
    if await is_filling(session):
        reasons.append("filling")
    hits = found.hits[:limit]
    return Answer(hits, hits[-1].place if len(found.hits) > limit else None, reasons)
