"""Lists of what lies in several services, newest first: ids are made in the order of time, in all services alike."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Generic, Protocol, TypeVar

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.session import ReadSession
from crm_kit.errors import InvalidCursor, Text
from crm_kit.http import pagination
from crm_kit.keyring import Keyring
from crm_kit.resources import Page, next_link
from fastapi import Request
from pydantic import ConfigDict
from pydantic import Field as Described
from sqlalchemy import column
from starlette.responses import Response

PageLimit = Annotated[int, Described(ge=1, le=pagination.MAX_LIMIT)]
PageCursor = Annotated[
    str | None,
    Described(max_length=pagination.MAX_CURSOR_LENGTH, json_schema_extra={"pattern": "^[A-Za-z0-9_-]*$"}),
]
"""What the query of such a list says of its page."""

_NEWEST_FIRST: Final = pagination.parse_sort(
    "-id", FieldSet("merged", [Field("id", FieldType.TEXT, column("id"), sortable=True, nullable=False)])
)


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


ItemT = TypeVar("ItemT", bound=_Identified)
ModelT = TypeVar("ModelT")
PlaceT = TypeVar("PlaceT", bound=str)


class PartialPage(Page[ModelT], Generic[ModelT, PlaceT]):
    """One page of such a list, of those that answered."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    degraded: Annotated[
        list[PlaceT],
        Described(description="Services that did not answer: what they have is missing here; absent if none"),
    ] = []


def page_response(request: Request, page: PartialPage[Any, Any]) -> Response:
    """The page, with the address of the next one."""
    body = page.model_dump_json(exclude=None if page.degraded else {"degraded"})
    return Response(body, headers=next_link(request, page.next_cursor), media_type="application/json")


class MergedPage(Generic[ItemT]):
    """One page of such a list. `filters`: whatever its cursors are bound to, besides the tenant."""

    def __init__(self, request: Request, session: ReadSession, resource: str, filters: object, limit: int) -> None:
        keyring: Keyring = request.app.state.settings.keyring
        self._cursors = pagination.Cursors(keyring, tenant_id=session.tenant_id, resource=resource, filters=filters)
        self._limit = limit

    def after(self, cursor: str | None) -> str | None:
        """The id that the page begins behind. Raises InvalidCursor."""
        if not cursor:
            return None
        try:
            [last] = self._cursors.read(_NEWEST_FIRST, cursor)
        except pagination.InvalidCursor as error:
            raise InvalidCursor(Text(error.detail, "游标无效或属于另一个列表；请去掉游标重新开始。")) from error
        return str(last)

    def cut(self, items: Sequence[ItemT]) -> tuple[list[ItemT], str | None]:
        """The page of what was found, and the cursor of the next one; each place was asked for one more than the limit."""
        ordered = sorted(items, key=lambda item: item.id, reverse=True)
        page, more = ordered[: self._limit], len(ordered) > self._limit
        return page, self._cursors.write(_NEWEST_FIRST, [page[-1].id]) if more else None
