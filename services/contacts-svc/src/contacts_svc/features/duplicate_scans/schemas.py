"""What is asked of a scan and told of it."""

from typing import Annotated, Literal

from crm_contracts.ids import DuplicateScanId, JobId
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import Entity, Input
from crm_kit.jobs import JobStatus
from pydantic import Field


class DuplicateScanWrite(Input):
    merge: Annotated[
        bool,
        Field(
            strict=True,
            description="Merge the pairs that are sure enough to be merged without asking (`may_merge`), the newer "
            "into the older; each can be undone",
        ),
    ] = False


class DuplicateScan(Entity):
    id: Annotated[DuplicateScanId, OPEN]
    status: Annotated[JobStatus, OPEN]
    merge: Annotated[bool, OPEN]
    contacts: Annotated[int | None, Field(description="How many there are; null until they are counted"), OPEN]
    compared: Annotated[int, Field(description="Contacts that were held against those before them"), OPEN]
    merged: Annotated[int, Field(description="Contacts that were merged into another"), OPEN]
    refused: Annotated[int, Field(description="Pairs that you may not merge, or that changed meanwhile"), OPEN]
    job_id: Annotated[JobId | None, OPEN]


Phase = Literal["key", "learn", "compare", "merge"]
