"""What a connector is. Each says for itself how its pages follow one another, whatever changes at the shop between two of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from crm_contracts.inbound import PullResource

Json = dict[str, Any]
Headers = Mapping[str, str]
"""Of an answer, whatever the case of their names."""


@dataclass(frozen=True, slots=True)
class Access:
    """`base_url` without a slash at its end; `api_version`: of a shop that has several."""

    base_url: str
    api_version: str | None
    credentials: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ask:
    """A GET."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page: of what was modified since (None: of everything), behind a cursor of the connector's own, of so many at most."""

    resource: PullResource
    since: datetime | None
    cursor: Json
    limit: int


@dataclass(frozen=True, slots=True)
class Record:
    """As a webhook would tell of it: under `topic`, with `payload` as its body. `modified_at`: by the shop."""

    topic: str
    external_id: str
    modified_at: datetime | None
    payload: Json


@dataclass(frozen=True, slots=True)
class Page:
    """`broken`: how many were no records. `next`: the cursor of the page behind it, None where there is none.

    `total`: how many there are of the resource in all, where the shop says so.
    """

    records: list[Record]
    broken: int
    next: Json | None
    total: int | None


class MalformedAnswer(ValueError):
    """It is not what the shop's documents say; the text says how, and nothing of what was in it."""


class Connector(Protocol):
    """Of one shop."""

    @property
    def largest_page(self) -> int:
        """How many records can be asked for at once."""

    def knows_modified(self, resource: PullResource) -> bool:
        """Whether it can be asked for what was modified since a time; otherwise everything comes each time."""

    def ask(self, wanted: Wanted) -> Ask:
        """How the page is asked for."""

    def read(self, wanted: Wanted, headers: Headers, document: Any) -> Page:
        """What was answered. Raises MalformedAnswer."""

    def behind(self, wanted: Wanted, record: Record) -> Json:
        """The cursor of what of a page is left behind one of its records."""

    def ask_besides(self, record: Record) -> Ask | None:
        """What of a record only another request tells."""

    def joined(self, record: Record, document: Any) -> Record:
        """With what was told besides."""

    def pause(self, headers: Headers) -> float:
        """Seconds to wait so that the shop need not refuse the next request."""
