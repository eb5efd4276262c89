"""What is asked of a bulk change and told of it."""

from typing import Annotated, Any, Literal, Self

from crm_contracts.contacts import Account, Contact
from crm_contracts.ids import ID_SUFFIX, AccountId, BulkChangeId, ContactId, JobId
from crm_contracts.sensitivity import OPEN, PRIVATE
from crm_contracts.types import Contract, Entity, Input, Tag, Timestamp, by_name
from crm_kit.conditions import Condition
from crm_kit.jobs import JobStatus
from crm_kit.resources import Size
from pydantic import Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from contacts_svc.features.bulk_changes.rules import BulkAction

MAX_IDS = 10_000

BulkResource = Literal["contacts", "accounts"]
RecordId = ContactId | AccountId
RecordKey = Annotated[str, StringConstraints(pattern=f"^(contact|account)_{ID_SUFFIX}$")]
Tags = Annotated[list[Tag], Field(max_length=100)]


def _together(code: str, english: str, chinese: str) -> PydanticCustomError:
    return PydanticCustomError(code, english, {"zh": chinese})


class BulkChangeWrite(Input):
    """Which records, and what becomes of them."""

    resource: BulkResource
    where: Annotated[
        Condition | None,
        Field(
            description="As a search of the resource takes it; what is archived is left out, unless it names `archived`"
        ),
    ] = None
    ids: Annotated[
        list[RecordId] | None, Field(min_length=1, max_length=MAX_IDS, description="Instead of `where`: these")
    ] = None
    versions: Annotated[
        dict[RecordKey, Annotated[int, Field(strict=True, ge=1)]],
        Field(
            json_schema_extra=by_name,
            max_length=MAX_IDS,
            description="Of `ids`: one that has another version by then is not changed",
        ),
    ] = {}
    action: BulkAction
    patch: Annotated[
        dict[str, JsonValue] | None,
        Field(
            min_length=1,
            max_length=100,
            description="For update: a JSON Merge Patch, as PATCH of the resource takes it",
        ),
    ] = None
    add_tags: Annotated[Tags, Field(description="For tag")] = []
    remove_tags: Annotated[Tags, Field(description="For tag")] = []
    at_most: Annotated[
        int | None,
        Field(strict=True, ge=1, le=2**53, description="Where there are more, it fails before anything is changed"),
    ] = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.where is None) == (self.ids is None):
            raise _together("where_or_ids", "Give either a condition or ids", "请提供条件或 id 列表之一")
        if self.ids is not None:
            prefix = self.resource.removesuffix("s")
            if any(not id_.startswith(f"{prefix}_") for id_ in self.ids):
                raise _together("other_resource", "The ids are of another resource", "id 属于其他资源")
            if len(set(self.ids)) < len(self.ids):
                raise _together("repeated", "Each id comes once", "每个 id 只能出现一次")
        if self.versions.keys() - set(self.ids or ()):
            raise _together("other_id", "Versions are of the ids that are given", "版本只能对应所给的 id")
        if (self.patch is not None) != (self.action == "update"):
            raise _together("patch", "An update takes a patch, and nothing else does", "仅 update 需要 patch")
        if bool(self.add_tags or self.remove_tags) != (self.action == "tag"):
            raise _together("tags", "Tagging takes tags, and nothing else does", "仅 tag 需要标签")
        return self


class BulkChange(Entity):
    """A change of many records, by a job. Each of them has its own event and its own entry in the audit log."""

    id: Annotated[BulkChangeId, OPEN]
    resource: Annotated[str, OPEN]
    action: Annotated[BulkAction, OPEN]
    status: Annotated[JobStatus, OPEN]
    where: Annotated[
        dict[str, Any] | None, Field(description="null for a list of ids, and once it was forgotten"), PRIVATE
    ]
    patch: Annotated[dict[str, Any] | None, PRIVATE]
    add_tags: Annotated[list[str], OPEN]
    remove_tags: Annotated[list[str], OPEN]
    at_most: Annotated[int | None, OPEN]
    changed: Annotated[int, OPEN]
    unchanged: Annotated[int, Field(description="They were so already"), OPEN]
    passed: Annotated[int, Field(description="The condition did not hold any more when it was their turn"), OPEN]
    failed: Annotated[int, Field(description="See /failures"), OPEN]
    job_id: Annotated[JobId, Field(description="The job, whose progress /v1/jobs tells"), OPEN]
    requested_by: Annotated[str, OPEN]
    forgotten_at: Annotated[
        Timestamp, Field(description="Then its condition, its patch and its failures are forgotten"), OPEN
    ]


class BulkFailure(Contract):
    """A record that was not changed, and why."""

    id: str
    problem: Annotated[dict[str, Any], Field(description="As the same change of this record alone would be answered")]


class BulkFailures(Contract):
    data: list[BulkFailure]
    next_cursor: str | None


class PreviewedChange(Contract):
    """What would become of a record. `after` is null where it would be deleted, or fail."""

    before: Contact | Account
    after: Contact | Account | None
    changed: Annotated[list[str], Field(description="Its members that would change")]
    problem: Annotated[dict[str, Any] | None, Field(description="Why it would fail")]


class BulkPreview(Contract):
    """What a bulk change would do now. Nothing was changed."""

    found: Size
    sample: Annotated[list[PreviewedChange], Field(description="Of the first records, by id")]
