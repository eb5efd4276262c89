"""How a run goes through a shop's resources, pass by pass. Pure.

A pass goes through all pages of a resource once. What is changed or made while it does may be on none of them, so a pass of more than
one page is followed by one for what was modified since it began, which is shorter; until one has a single page.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from crm_contracts.inbound import PullResource
from pydantic import AwareDatetime, BaseModel, Field

from gateway.connectors.interface import Json, Page, Wanted

OVERLAP: Final = timedelta(minutes=5)
"""Before a time from which on is asked: clocks differ, and what is being committed there shows later than it says."""

MAX_PASSES: Final = 5
MAX_FAILURES: Final = 10
MAX_WAITS: Final = 200
_LONGEST_PAUSE: Final = timedelta(minutes=5)
_LEAST_WAIT: Final = timedelta(seconds=1)


class Place(BaseModel):
    """Where a resource stands. `since`: of the pass; `began_at`: when it began, by the shop's clock; `first_since`: of the run;
    `limit`: of a page, where the largest were too large.

    `mark`: all that was modified before is taken in, if no page was lost; where the next run begins.
    """

    resource: PullResource
    since: AwareDatetime | None = None
    first_since: AwareDatetime | None = None
    cursor: Json = {}
    limit: Annotated[int, Field(ge=1)] | None = None
    began_at: AwareDatetime | None = None
    passes: int = 0
    pages_in_pass: int = 0
    pages: int = 0
    records: int = 0
    skipped: int = 0
    total: int | None = None
    mark: AwareDatetime | None = None
    is_finished: bool = False

    def wanted(self, largest: int) -> Wanted:
        """The next page, of no more records than the shop gives at once."""
        return Wanted(self.resource, self.since, self.cursor, self.limit or largest)


def first_places(
    resources: Sequence[PullResource], since: datetime | None, marks: dict[str, datetime] | None
) -> list[Place]:
    """Of what was modified since. `marks`: of a run that continues, by resource; one that has none begins with everything."""
    places = []
    for resource in resources:
        mark = marks.get(resource) if marks is not None else None
        begin = since if marks is None else mark - OVERLAP if mark is not None else None
        places.append(Place(resource=resource, since=begin, first_since=begin))
    return places


def next_place(places: Sequence[Place]) -> int | None:
    """Of the resource that is asked for now."""
    return next((place for place, each in enumerate(places) if not each.is_finished), None)


def after_page(
    place: Place, page: Page, *, taken: int, skipped: int, asked_at: datetime, knows_modified: bool, earlier: datetime | None
) -> Place:  # fmt: skip
    """`asked_at`: by the shop's clock. `earlier`: the mark of the runs before, which a run of what is newer does not move."""
    began_at = place.began_at or asked_at
    now = place.model_copy(
        update={
            "began_at": began_at,
            "pages_in_pass": place.pages_in_pass + 1,
            "pages": place.pages + 1,
            "records": place.records + taken,
            "skipped": place.skipped + skipped,
            "total": page.total if place.passes == 0 and page.total is not None else place.total,
        }
    )
    if page.next is not None:
        return now.model_copy(update={"cursor": page.next})
    if now.pages_in_pass > 1 and knows_modified and place.passes + 1 < MAX_PASSES:
        again = {"since": began_at - OVERLAP, "cursor": {}, "began_at": None, "pages_in_pass": 0}
        return now.model_copy(update={**again, "passes": place.passes + 1})
    return now.model_copy(update={"is_finished": True, "mark": _mark(now, earlier)})


def _mark(place: Place, earlier: datetime | None) -> datetime | None:
    """A run of what is newer than all that was taken in before leaves a gap behind it, and moves nothing."""
    is_gapless = place.first_since is None or (earlier is not None and place.first_since <= earlier)
    return place.began_at if is_gapless else earlier


def smaller(place: Place, largest: int) -> Place | None:
    """Where a page was too large; None where it was of one record."""
    limit = (place.limit or largest) // 2
    return place.model_copy(update={"limit": limit}) if limit else None


def back_off(failures: int, after: timedelta | None) -> timedelta:
    """Before the request is sent again that failed so often in a row."""
    return max(after or timedelta(), min(timedelta(seconds=2 ** (failures - 1)), _LONGEST_PAUSE))


def patience(after: timedelta | None, waits: int) -> timedelta:
    """Before the request is sent again that came too soon."""
    return max(after or timedelta(), min(_LEAST_WAIT * waits, _LONGEST_PAUSE))


def version_time(modified_at: datetime | None, read_at: datetime) -> datetime:
    """What stands for the time of sending: shops tell versions by whole seconds, and what is read when that second is over is the last
    that was in it. Always the same of one version, so that reading it again is nothing new.
    """
    return min(read_at, modified_at + timedelta(seconds=1)) if modified_at is not None else read_at


def dumped(places: Sequence[Place]) -> list[dict[str, Any]]:
    return [each.model_dump(mode="json") for each in places]
