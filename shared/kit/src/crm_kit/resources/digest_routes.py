"""`GET /v1/digests/<plural>` of a resource that declares it: is what another system has the same, and if not, where not."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

from crm_contracts.types import Contract, Input, Timestamp, TimeZoneName
from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict, StringConstraints, TypeAdapter, ValidationError, create_model
from pydantic import Field as Described
from starlette.responses import Response

from crm_kit.audit.reads import SENSITIVE, Read, note_reads
from crm_kit.conditions import Field
from crm_kit.db.models import utc_now
from crm_kit.db.session import ReadSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http import pagination
from crm_kit.http.problems import field_errors
from crm_kit.http.route import Reading, TransactionRoute
from crm_kit.resources.digests import Digests, digests_of
from crm_kit.resources.listing import next_link, page_problem
from crm_kit.resources.periods import Bucket, midnight
from crm_kit.resources.resource import Resource
from crm_kit.resources.responses import json_response
from crm_kit.resources.schemas import Page

_MAX_FIELDS: Final = 20
_MAX_PERIODS: Final = 1000
_USUALLY: Final = timedelta(days=31)
"""How far back it reaches where nothing is said."""

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DAY_OR_TIME: Final = r"^[1-8][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z)?$"
_TIME: Final[TypeAdapter[datetime]] = TypeAdapter(Timestamp)


class Digest(Contract):
    """Of the records of a period: `from` is of it, `to` is not. Periods without records are left out."""

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    start: Annotated[Timestamp, Described(alias="from")]
    end: Annotated[Timestamp, Described(alias="to")]
    count: int
    hash: Annotated[str, Described(description="SHA-256, in hexadecimal, of the lines of its records")]


class RecordDigest(Contract):
    """Of one record: what a period with it alone would have."""

    id: str
    external_id: str | None
    hash: Annotated[str, Described(description="SHA-256, in hexadecimal, of its line")]


_When = Annotated[str, StringConstraints(max_length=40)]


class _Asked(Input):
    """What both are asked by."""

    begin: Annotated[
        _When | None,
        Described(
            alias="from",
            description="A time, or the first moment of a day in `tz`; 31 days before `to` if left out",
            json_schema_extra={"pattern": _DAY_OR_TIME},
        ),
    ] = None
    end: Annotated[
        _When | None,
        Described(
            alias="to",
            description="As `from`, and no more of it; now if left out",
            json_schema_extra={"pattern": _DAY_OR_TIME},
        ),
    ] = None
    tz: Annotated[TimeZoneName, Described(description="Whose days these are")] = "UTC"
    fields: Annotated[
        str, StringConstraints(max_length=2000), Described(description="Of what a line consists, in this order")
    ] = "id"
    cursor: Annotated[
        str | None, StringConstraints(max_length=pagination.MAX_CURSOR_LENGTH, pattern="^[A-Za-z0-9_-]*$")
    ] = None


def digest_router(resource: Resource[Any, Any, Any]) -> APIRouter:
    """Its permission is that of reading the resource."""
    router = APIRouter(prefix=f"/v1/digests/{resource.plural}", tags=[resource.plural], route_class=TransactionRoute)
    query_of_periods, query_of_records = _query_types(resource)

    async def digests(request: Request, session: Reading, query: Any) -> Response:
        return await _periods(request, session, await _Digesting.of(session, resource, query, request), query)

    async def records(request: Request, session: Reading, query: Any) -> Response:
        return await _records(request, session, await _Digesting.of(session, resource, query, request), query)

    digests.__annotations__["query"] = Annotated[query_of_periods, Query()]
    records.__annotations__["query"] = Annotated[query_of_records, Query()]
    router.add_api_route(
        "",
        digests,
        methods=["GET"],
        response_model=Page[Digest],
        operation_id=f"digest_{resource.plural_name}",
        summary=f"Digests of {resource.plural}, period by period",
        description="By them another system finds in which periods its records differ; see the guide on reconciliation.",
    )
    router.add_api_route(
        "/records",
        records,
        methods=["GET"],
        response_model=Page[RecordDigest],
        operation_id=f"digest_{resource.plural_name}_records",
        summary=f"Digests of single {resource.plural}, by the time that is asked by",
    )
    return router


def _query_types(resource: Resource[Any, Any, Any]) -> tuple[type[Any], type[Any]]:
    """The parameters of the two operations."""
    assert resource.digests is not None
    times, name = resource.digests.times, resource.read.__name__
    told = Described(description="Which of their times counts", json_schema_extra={"enum": list(times)})
    more: dict[str, Any] = {"by": (Annotated[str, told], times[0])}
    if resource.digests.source is not None:
        of_source = Described(description="Only those of this source")
        more["source"] = (Annotated[str, StringConstraints(max_length=64), of_source] | None, None)
    periods = Annotated[int, Described(ge=1, le=_MAX_PERIODS)]
    single = Annotated[int, Described(ge=1, le=pagination.MAX_LIMIT)]
    return (
        create_model(f"{name}DigestQuery", __base__=_Asked, **more, bucket=(Bucket, "day"), limit=(periods, 366)),
        create_model(f"{name}RecordDigestQuery", __base__=_Asked, **more, limit=(single, pagination.DEFAULT_LIMIT)),
    )


@dataclass(frozen=True, slots=True)
class _Digesting:
    """What a request asks for, understood."""

    digests: Digests
    begin: datetime
    end: datetime
    zone: ZoneInfo
    sort: pagination.Sort
    cursors: pagination.Cursors

    @classmethod
    async def of(cls, session: ReadSession, resource: Resource[Any, Any, Any], query: Any, request: Request) -> Self:
        """Raises ValidationFailed, Forbidden."""
        zone = ZoneInfo(query.tz)
        end = _moment(query.end, "to", zone) or utc_now()
        begin = _moment(query.begin, "from", zone) or end - _USUALLY
        by = _time_field(resource, query.by)
        fields = await _fields(session, resource, query.fields)
        digests = await digests_of(session, resource, fields, by, getattr(query, "source", None))
        asked = sorted(each for each in request.query_params.multi_items() if each[0] not in ("limit", "cursor"))
        cursors = pagination.Cursors(
            request.app.state.settings.keyring,
            tenant_id=session.tenant_id,
            resource=resource.plural,
            filters=[request.url.path, *asked],
        )
        return cls(digests, begin, end, zone, pagination.parse_sort([by.name], resource.fields), cursors)


async def _periods(request: Request, session: ReadSession, asked: _Digesting, query: Any) -> Response:
    begin = asked.begin
    if query.cursor:
        try:
            begin = asked.cursors.read(asked.sort, query.cursor)[0]  # type: ignore[assignment]  # of a time it was written
        except pagination.PaginationError as error:
            raise page_problem(error, "?") from error
    found, further = await asked.digests.page(session, begin, asked.end, query.bucket, asked.zone, query.limit)
    cursor = None if further is None else asked.cursors.write(asked.sort, (further, ""))
    data = [Digest(start=each.start, end=each.end, count=each.count, hash=each.hash) for each in found]
    body = Page[Digest](data=data, next_cursor=cursor)
    return json_response(request, body, headers=next_link(request, cursor))


async def _records(request: Request, session: ReadSession, asked: _Digesting, query: Any) -> Response:
    """Who is shown what a value comes to can guess it: so it is told in the audit log as if the value were shown."""
    wanted = pagination.PageRequest(asked.sort, query.limit, query.cursor or None)
    try:
        page = await pagination.fetch_page(
            session, asked.digests.records(asked.begin, asked.end), wanted, asked.cursors
        )
    except pagination.PaginationError as error:
        raise page_problem(error, "?") from error
    ids: list[str] = list(page.rows)  # type: ignore[arg-type]  # a page holds the one column that was selected
    found = await asked.digests.of_records(session, ids)
    told = {asked.digests.resource.sensitivity_of(field) for field in asked.digests.fields}
    note_reads(request, [Read(each.id, frozenset(told) & frozenset(SENSITIVE)) for each in found])
    data = [RecordDigest(id=each.id, external_id=each.external_id, hash=each.hash) for each in found]
    body = Page[RecordDigest](data=data, next_cursor=page.next_cursor)
    return json_response(request, body, headers=next_link(request, page.next_cursor))


def _moment(value: str | None, name: str, zone: ZoneInfo) -> datetime | None:
    """A time, or the first moment of a day. Raises ValidationFailed."""
    if value is None:
        return None
    is_day = _DAY.fullmatch(value) is not None
    try:
        at = _TIME.validate_python(f"{value}T00:00:00Z" if is_day else value)
    except ValidationError as error:
        faults = field_errors({**each, "loc": ("query", name)} for each in error.errors())
        raise ValidationFailed(_SEE, errors=faults) from error
    return midnight(at.date(), zone) if is_day else at


def _time_field(resource: Resource[Any, Any, Any], name: str) -> Field:
    assert resource.digests is not None
    field = resource.fields.get(name) if name in resource.digests.times else None
    if field is None:
        known = ", ".join(resource.digests.times)
        detail = Text(f"Must be one of {known}", f"必须是：{known}")
        raise ValidationFailed(_SEE, errors=[FieldError("?by", "choice", detail)])
    return field


async def _fields(session: ReadSession, resource: Resource[Any, Any, Any], asked: str) -> list[Field]:
    names = [name.strip() for name in asked.split(",")]
    if len(names) > _MAX_FIELDS:
        detail = Text(f"At most {_MAX_FIELDS} fields", f"最多 {_MAX_FIELDS} 个字段")
        raise ValidationFailed(_SEE, errors=[FieldError("?fields", "too_many", detail)])
    known = await resource.fields_in(session, names)
    found = {name: field for name in names if (field := known.get(name)) is not None and field.column is not None}
    unknown = next((name for name in names if name not in found), None)
    if unknown is not None:
        detail = Text(
            f"{unknown[:100]!r} is no field of these: {', '.join(field.name for field in resource.fields)}",
            f"未知字段 {unknown[:100]!r}，可用：{'、'.join(field.name for field in resource.fields)}",
        )
        raise ValidationFailed(_SEE, errors=[FieldError("?fields", "unknown_field", detail)])
    return [found[name] for name in names]


_SEE: Final = Text("Some parameters are not valid; see errors.", "部分参数无效，见 errors。")
