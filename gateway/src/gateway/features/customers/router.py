"""Customers over HTTP. The view itself is answered in `view_route.py`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args

import orjson
from crm_contracts.facts import MAX_CONTACTS
from crm_contracts.ids import AccountId, ContactId, prefix_of
from crm_contracts.types import ExternalKey, format_timestamp
from crm_kit.audit.reads import note_reads
from crm_kit.conditions import Field as SortField
from crm_kit.conditions import FieldSet, FieldType
from crm_kit.custom_fields import DeclaredFields
from crm_kit.db.session import ReadSession
from crm_kit.errors import FieldError, InvalidCursor, NotFound, Text, ValidationFailed
from crm_kit.http import pagination
from crm_kit.http.principal import Principal
from crm_kit.http.route import Caller, Reading, TransactionRoute
from crm_kit.keyring import Keyring
from crm_kit.resources import copy_levels
from crm_kit.resources.listing import next_link
from crm_kit.resources.schemas import Page
from crm_kit.rights import Level
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import StringConstraints
from sqlalchemy import column
from starlette.responses import Response

from gateway.features.customers import keys, repository
from gateway.features.customers.declared_fields import KnownFields
from gateway.features.customers.errors import SeveralCustomers
from gateway.features.customers.listing import list_views, views_of
from gateway.features.customers.parameters import refuse_unknown_parameters
from gateway.features.customers.reading import View, absent_customer
from gateway.features.customers.redaction import standing_of
from gateway.features.customers.schemas import (
    Candidate,
    CustomerPage,
    CustomerView,
    Kind,
    MergedCustomer,
    TimelineEntry,
)
from gateway.features.customers.search.answer import catch_up, search, understand
from gateway.features.customers.search.finding import Place
from gateway.features.customers.search.matching import Match
from gateway.features.customers.search.query import MAX_LENGTH, SearchQuery
from gateway.features.customers.sight import OF_KIND, Sight, Standing, may_see
from gateway.features.customers.telling import read_of
from gateway.features.customers.view_route import (
    CONSISTENCY_TOKEN,
    ViewRoute,
    answer_view,
    view_parameters,
    view_response,
)

router = APIRouter(
    prefix="/v1/customers",
    tags=["customers"],
    route_class=TransactionRoute,
    dependencies=[Depends(refuse_unknown_parameters)],
)

_MAX_CANDIDATES: Final = 20
_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_BY_ID: Final = FieldSet("customers", [SortField("id", FieldType.TEXT, column("id"), sortable=True, nullable=False)])
_BY_RANK: Final = FieldSet(
    "customers that are found",
    [
        SortField("rank", FieldType.INTEGER, column("rank"), sortable=True, nullable=False),
        SortField("created_at", FieldType.DATETIME, column("created_at"), sortable=True, nullable=False),
        SortField("id", FieldType.TEXT, column("id"), sortable=True, nullable=False),
    ],
)
_BY_TIME: Final = FieldSet(
    "timeline",
    [
        SortField("at", FieldType.DATETIME, column("at"), sortable=True, nullable=False),
        SortField("id", FieldType.TEXT, column("id"), sortable=True, nullable=False),
    ],
)

Limit = Annotated[int, Query(ge=1, le=pagination.MAX_LIMIT)]
Cursor = Annotated[
    str | None, Query(max_length=pagination.MAX_CURSOR_LENGTH, json_schema_extra={"pattern": "^[A-Za-z0-9_-]*$"})
]
Archived = Annotated[
    Literal["false", "true", "include"],
    Query(description="Those that are archived are left out; true: only those, include: all"),
]
_ARCHIVED: Final = {"false": False, "true": True, "include": None}
Sought = Annotated[
    str | None,
    StringConstraints(max_length=MAX_LENGTH),
    Query(
        description="Words that must all be found, each in part of a name, company, e-mail, phone, external id, order, invoice or ticket "
        "number; Chinese by pinyin too, names with slips"
    ),
]
Term = Annotated[ExternalKey | None, Query()]
Kinds = Annotated[
    str | None,
    StringConstraints(max_length=1000, pattern=r"^[a-z_.]+(,[a-z_.]+)*$"),
    Query(description="Comma-separated kinds of entries, such as deal.won, or all of a type, such as deal"),
]


def _cursors(request: Request, tenant_id: str, resource: str, filters: object) -> pagination.Cursors:
    keyring: Keyring = request.app.state.settings.keyring
    return pagination.Cursors(keyring, tenant_id=tenant_id, resource=resource, filters=filters)


def _after(cursors: pagination.Cursors, sort: pagination.Sort, cursor: str | None) -> tuple[Any, ...] | None:
    try:
        return None if cursor is None else cursors.read(sort, cursor)
    except pagination.InvalidCursor as error:
        raise InvalidCursor(Text(error.detail, "游标无效或属于另一个列表；请去掉游标重新开始。")) from error


def _page(request: Request, items: list[bytes], next_cursor: str | None, **more: Any) -> Response:
    end = orjson.dumps({"next_cursor": next_cursor, **more})[1:]
    body = b'{"data":[' + b",".join(items) + b"]," + end
    return Response(body, headers=next_link(request, next_cursor), media_type="application/json")


@router.get(
    "", operation_id="list_customers", response_model=CustomerPage, openapi_extra={"parameters": [CONSISTENCY_TOKEN]}
)
async def list_customers(
    request: Request,
    session: Reading,
    caller: Caller,
    q: Sought = None,
    kind: Kind | None = None,
    archived: Archived = "false",
    limit: Limit = pagination.DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """Every customer, by id; with `q`, those that have its words, the best first."""
    seen = await _sights(request, caller, kind)
    query = understand(q)
    if query is not None:
        return await _found(request, session, caller, seen, query, archived, limit, cursor)
    if "consistency-token" in request.headers:
        await catch_up(request, caller)
    sort = pagination.parse_sort("id", _BY_ID)
    cursors = _cursors(request, session.tenant_id, "customers", [archived, *sorted(seen)])
    after = _after(cursors, sort, cursor)
    resources = {each: OF_KIND[each][0] for each in seen}
    begin = after[0] if after else ""
    rows = await list_views(
        session, resources, _declared(seen), archived=_ARCHIVED[archived], after=begin, limit=limit + 1
    )
    more = cursors.write(sort, [rows[limit - 1].id]) if len(rows) > limit else None
    return _page(request, await _items(request, session, seen, [(row, None) for row in rows[:limit]]), more)


async def _found(
    request: Request,
    session: ReadSession,
    caller: Principal,
    seen: Mapping[str, Sight | None],
    query: SearchQuery,
    archived: str,
    limit: int,
    cursor: str | None,
) -> Response:
    sort = pagination.parse_sort("rank,-created_at,-id", _BY_RANK)
    cursors = _cursors(request, session.tenant_id, "found", [archived, query.whole, *sorted(seen)])
    place = _after(cursors, sort, cursor)
    after = Place(int(place[0]), place[1], place[2]) if place is not None else None
    is_there = await catch_up(request, caller)
    answer = await search(session, query, seen, _declared(seen), archived=_ARCHIVED[archived], after=after, limit=limit)
    views = await views_of(session, [hit.place.id for hit in answer.hits])
    rows = [(views[hit.place.id], hit.matched) for hit in answer.hits if hit.place.id in views]
    more = cursors.write(sort, answer.following) if answer.following is not None else None
    partial = [*answer.partial, *([] if is_there else ["behind"])]
    return _page(request, await _items(request, session, seen, rows), more, partial=partial)


def _declared(seen: Mapping[str, Sight | None]) -> DeclaredFields:
    return next((sight.declared for sight in seen.values() if sight is not None), {})


async def _items(
    request: Request,
    session: ReadSession,
    seen: Mapping[str, Sight | None],
    rows: Sequence[tuple[Any, Sequence[Match] | None]],
) -> list[bytes]:
    """Those of the rows that the caller may see, each told of in the audit log."""
    levels: dict[str, Level] = {}
    for each in seen:
        levels |= await copy_levels(session, OF_KIND[each][0], [row.id for row, _ in rows if row.kind == each])
    shown = [
        (row, matched, _standing_in(row, seen[row.kind], levels[row.id])) for row, matched in rows if row.id in levels
    ]
    note_reads(request, (read_of(seen[row.kind], row.kind, row.id, at) for row, _, at in shown))
    return [_item(row, seen[row.kind], at, matched) for row, matched, at in shown]


async def _sights(request: Request, caller: Principal, wanted: Kind | None) -> dict[str, Sight | None]:
    """By each kind that is wanted and may be seen, what is seen of it. Raises Forbidden where there is none."""
    fields: KnownFields = request.app.state.known_fields
    kinds = [kind for kind in get_args(Kind) if wanted in (None, kind) and may_see(caller, kind)]
    return {kind: await fields.sight(caller, kind) for kind in kinds or [wanted or "contact"]}


def _standing_in(row: Any, sight: Sight | None, level: Level) -> Standing:
    return Standing(level) if sight is None else sight.standing(OF_KIND[row.kind][0], row.profile, level)


def _item(row: Any, sight: Sight | None, at: Standing, matched: Sequence[Match] | None) -> bytes:
    profile, name = row.profile, row.name
    if sight is not None:
        profile, name = sight.profile(row.kind, profile, at), sight.name(row.kind, name, at)
    head = {"id": row.id, "kind": row.kind, "name": name, "version": row.version}
    item = {**head, "as_of": format_timestamp(row.as_of), "profile": profile}
    if matched is not None:
        item["matched"] = [{"field": match.field, "kind": match.kind} for match in matched]
    return orjson.dumps(item)


@router.get(
    "/lookup",
    operation_id="look_up_customer",
    response_model=CustomerView,
    responses={409: {"description": "Several customers match: see candidates", "content": _PROBLEM}},
)
async def look_up_customer(
    request: Request,
    session: Reading,
    caller: Caller,
    email: Term = None,
    phone: Term = None,
    external_id: Annotated[
        ExternalKey | None, Query(description="system:value", json_schema_extra={"pattern": "^[^:]+:."})
    ] = None,
    wechat: Term = None,
) -> Response:
    """The one customer with this e-mail address, phone number, external id or WeChat id."""
    seen = await _sights(request, caller, None)
    given = {"email": email, "phone": phone, "external_id": external_id, "wechat": wechat}
    key = _lookup_key({name: value for name, value in given.items() if value is not None}, caller.region)
    matching = await repository.find_by_key(session, key, _MAX_CANDIDATES)
    found = [row for row in matching if row.kind in seen and _is_findable(row, seen[row.kind])]
    if not found:
        raise NotFound(Text("No customer matches.", "没有匹配的客户。"))
    if len(found) > 1:
        found = [row for row in found if not _is_archived(row)] or found
    if len(found) > 1:
        raise SeveralCustomers([_candidate(row, seen[row.kind]) for row in found])
    [one] = found
    return view_response(request, caller, one.id, View(one.version, one.doc), seen[one.kind])


def _is_findable(row: Any, sight: Sight | None) -> bool:
    """Whether the caller sees the customer, and what they are looked up by: otherwise that could be guessed."""
    if sight is None:
        return True
    rights = sight.rights(OF_KIND[row.kind][0], standing_of(sight, orjson.loads(row.doc)))
    return rights.is_seen and rights.reads("personal")


def _is_archived(row: Any) -> bool:
    return (orjson.loads(row.doc)["profile"] or {}).get("archived_at") is not None


def _candidate(row: Any, sight: Sight | None) -> Candidate:
    name = row.name if sight is None else sight.name(row.kind, row.name, standing_of(sight, orjson.loads(row.doc)))
    return Candidate(id=row.id, kind=row.kind, name=name)


def _lookup_key(given: dict[str, str], region: str) -> str:
    if len(given) != 1:
        names = "email, phone, external_id, wechat"
        text = Text(f"Give exactly one of {names}.", f"请只提供 {names} 之一。")
        raise ValidationFailed(text, errors=[FieldError(f"?{name}", "one_of", text) for name in given or ["email"]])
    [(name, value)] = given.items()
    if name == "email":
        return keys.email_key(value)
    if name == "wechat":
        return keys.wechat_key(value)
    if name == "phone":
        try:
            return keys.phone_key(value, region)
        except keys.InvalidPhone as error:
            text = Text(
                "Give a number with country code, such as +8613800138000, or one of your region.",
                "请提供带国家代码的号码，如 +8613800138000，或本地区号码。",
            )
            raise ValidationFailed(text, errors=[FieldError("?phone", "phone_invalid", text)]) from error
    system, colon, external = value.partition(":")
    if not (system and colon and external):
        text = Text("Give the system and its id, such as shopify:1042.", "请提供系统和其编号，如 shopify:1042。")
        raise ValidationFailed(text, errors=[FieldError("?external_id", "external_id_format", text)])
    return keys.external_key(system, external)


router.add_api_route(
    "/{customer_id}",
    answer_view,
    methods=["GET"],
    operation_id="get_customer",
    response_model=CustomerView,
    responses={307: {"description": "The customer was merged into the one at Location", "model": MergedCustomer}},
    openapi_extra={"parameters": view_parameters()},
    route_class_override=ViewRoute,
)


@router.get("/{customer_id}/timeline", operation_id="list_customer_timeline", response_model=Page[TimelineEntry])
async def list_customer_timeline(
    request: Request,
    session: Reading,
    caller: Caller,
    customer_id: Annotated[ContactId | AccountId, Path()],
    kinds: Kinds = None,
    limit: Limit = pagination.DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """Everything that happened with a customer, newest first."""
    wanted = kinds.split(",") if kinds else None
    kind = prefix_of(customer_id) or ""
    fields: KnownFields = request.app.state.known_fields
    sight = await fields.sight(caller, kind)
    at = await _standing(session, caller, sight, kind, customer_id)
    if sight is not None:
        wanted = sight.kinds(wanted, at)
    sort = pagination.parse_sort("-at,-id", _BY_TIME)
    cursors = _cursors(request, session.tenant_id, "timeline", [customer_id, kinds])
    after: tuple[datetime, str] | None = _after(cursors, sort, cursor)
    is_account = prefix_of(customer_id) == "account"
    contact_ids = [str(customer_id)]
    if is_account:
        contact_ids = await repository.contact_ids_of(session, customer_id, MAX_CONTACTS)
    rows = await repository.timeline_page(
        session,
        contact_ids=contact_ids,
        account_id=customer_id if is_account else None,
        kinds=wanted,
        after=after,
        limit=limit + 1,
    )
    more = cursors.write(sort, [rows[limit - 1].at, rows[limit - 1].entry_id]) if len(rows) > limit else None
    note_reads(request, [read_of(sight, kind, customer_id, at)])
    return _page(request, [_entry(row.entry, sight, at) for row in rows[:limit]], more)


async def _standing(
    session: ReadSession, caller: Principal, sight: Sight | None, kind: str, customer_id: str
) -> Standing:
    """Of a customer who is there and may be seen. Raises NotFound, Erased."""
    resource = OF_KIND[kind][0]
    level = (await copy_levels(session, resource, [customer_id])).get(customer_id)
    profile = await repository.profile_of(session, customer_id) if level is not None else None
    if level is not None and profile is not None:
        at = sight.standing(resource, profile, level) if sight is not None else Standing(level)
        if sight is None or sight.rights(resource, at).is_seen:
            return at
    raise await absent_customer(session, caller, customer_id)


def _entry(entry: str, sight: Sight | None, at: Standing) -> bytes:
    return entry.encode() if sight is None else orjson.dumps(sight.entry(orjson.loads(entry), at))
