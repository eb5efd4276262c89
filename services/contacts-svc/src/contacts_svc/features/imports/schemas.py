"""What clients write and read of an import."""

from typing import Annotated, Any, Literal

from crm_contracts.ids import ImportId, JobId, TeamId, UserId
from crm_contracts.sensitivity import OPEN, PRIVATE
from crm_contracts.types import Contract, Entity, Input, LanguageTag, Tag, Text, Timestamp
from crm_kit.tabular import Format
from pydantic import Field, StringConstraints

from contacts_svc.features.contacts.schemas import LifecycleReasonWrite, LifecycleStageWrite
from contacts_svc.features.import_columns.rules import ImportResource
from contacts_svc.features.import_rows.schemas import Likely, OnMatch, Outcome

ImportStatus = Literal["pending", "running", "planned", "succeeded", "failed", "cancelled", "reverting", "reverted"]
MatchKey = Literal["external_id", "email", "phone", "domain", "name"]
ColumnName = Annotated[Text, StringConstraints(max_length=200)]
Target = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=150)]
ColumnMapping = dict[ColumnName, Target | None]


class Defaults(Input):
    """What every row says that does not say otherwise; the tags are added to a row's own."""

    source: Text | None = None
    lifecycle_stage: LifecycleStageWrite = None
    lifecycle_reason: LifecycleReasonWrite = None
    owner_id: UserId | None = None
    team_id: TeamId | None = None
    language: LanguageTag | None = None
    tags: Annotated[list[Tag], Field(max_length=50)] = []


class ImportOptions(Input):
    """How rows are taken in. What is left out is told by the file, or keeps its default."""

    resource: Annotated[ImportResource, Field(description="What a row is, where it does not say so itself")] = (
        "contacts"
    )
    format: Annotated[Format | None, Field(description="Guessed by the content")] = None
    encoding: Annotated[
        Annotated[str, StringConstraints(max_length=40)] | None,
        Field(description="Such as utf-8, gb18030, big5, windows-1252; guessed by the content"),
    ] = None
    delimiter: Annotated[Literal[",", ";", "\t", "|"] | None, Field(description="Of CSV; guessed by the content")] = (
        None
    )
    sheet: Annotated[Text | None, Field(description="Of XLSX; the first by default")] = None
    mapping: Annotated[
        ColumnMapping | None,
        Field(
            max_length=500,
            description='What each column means, such as {"手机": "phone"}; null for none. Columns that are not named are guessed',
        ),
    ] = None
    match: Annotated[
        list[MatchKey] | None,
        Field(
            max_length=3,
            description="What a row's record is found by, the surest first; by default external_id, email, phone for"
            " contacts, and external_id, domain, name for accounts. A phone number alone counts only where the names do not differ",
        ),
    ] = None
    on_match: Annotated[
        OnMatch,
        Field(
            description="What a row does to the record that it matches. update: its values replace, lists grow. fill: only"
            " what is empty. skip: nothing. create: nobody is looked for"
        ),
    ] = "update"
    duplicates: Annotated[
        Likely,
        Field(
            description="What becomes of a contact's row that matches nobody and is probably one that is there. allow: it is"
            " created, and not compared. report: created, and told. refuse: left out, and told"
        ),
    ] = "allow"
    defaults: Defaults = Defaults()
    create_accounts: Annotated[
        bool, Field(strict=True, description="A company that a contact's row names is created where there is none")
    ] = True
    day_first: Annotated[
        bool | None, Field(strict=True, description="How to read 1/2/1990; without it such a row is rejected")
    ] = None
    dry_run: Annotated[bool, Field(strict=True, description="Only tells what would become of each row")] = False


class ImportRun(Input):
    """Runs the import with what is changed here; all else stays as it was."""

    mapping: Annotated[ColumnMapping | None, Field(max_length=500)] = None
    match: Annotated[list[MatchKey] | None, Field(max_length=3)] = None
    on_match: OnMatch | None = None
    duplicates: Likely | None = None
    defaults: Defaults | None = None
    create_accounts: Annotated[bool | None, Field(strict=True)] = None
    day_first: Annotated[bool | None, Field(strict=True)] = None
    dry_run: Annotated[bool, Field(strict=True)] = False


class ImportColumn(Contract):
    """A column of the file."""

    name: str
    samples: Annotated[list[str], Field(description="Of the first rows")]
    target: Annotated[str | None, Field(description="What it is taken to mean; null: it is passed over")]


class ImportCounts(Contract):
    """How many rows became what; in a dry run, would become."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicate: Annotated[int, Field(description="Matched or probably there, and left as they are")] = 0
    conflict: Annotated[int, Field(description="Match several, or take what is another's")] = 0
    rejected: Annotated[int, Field(description="Not valid")] = 0
    accounts_created: Annotated[int, Field(description="Companies that rows of contacts named")] = 0
    unlinked: Annotated[int, Field(description="Refer to a company that is not there")] = 0
    probable_duplicates: Annotated[int, Field(description="Are probably contacts that are there: see `problem`")] = 0


class RevertCounts(Contract):
    """How many records were taken back, and why others were not."""

    deleted: int = 0
    restored: int = 0
    partly: Annotated[int, Field(description="Restored but for what was changed since")] = 0
    changed_since: int = 0
    in_use: Annotated[int, Field(description="Something else belongs to them by now")] = 0
    gone: int = 0
    refused: int = 0


class Import(Entity):
    """A file of contacts or accounts, and what became of its rows."""

    id: Annotated[ImportId, OPEN]
    resource: Annotated[str, OPEN]
    status: Annotated[ImportStatus, OPEN]
    dry_run: Annotated[bool, OPEN]
    filename: Annotated[str | None, OPEN]
    size: Annotated[int, Field(description="Bytes"), OPEN]
    rows: Annotated[int, Field(description="Rows of the file, without its header and blank ones"), OPEN]
    format: Annotated[Format, OPEN]
    encoding: Annotated[str, OPEN]
    delimiter: Annotated[str | None, OPEN]
    sheet: Annotated[str | None, OPEN]
    columns: Annotated[list[ImportColumn], PRIVATE]
    match: Annotated[list[str], OPEN]
    on_match: Annotated[OnMatch, OPEN]
    duplicates: Annotated[Likely, OPEN]
    defaults: Annotated[dict[str, Any], OPEN]
    create_accounts: Annotated[bool, OPEN]
    day_first: Annotated[bool | None, OPEN]
    counts: Annotated[ImportCounts, OPEN]
    reverted: Annotated[RevertCounts | None, OPEN]
    job_id: Annotated[JobId | None, Field(description="The latest job, whose progress /v1/jobs tells"), OPEN]
    requested_by: Annotated[str, OPEN]
    expires_at: Annotated[Timestamp, Field(description="Until then it can be run, reverted and its rows read"), OPEN]


class ImportedRow(Contract):
    """What became of one row."""

    row: Annotated[int, Field(description="As a spreadsheet numbers it: its header is 1")]
    outcome: Outcome
    resource: str
    id: Annotated[str | None, Field(description="The record")]
    version: int | None
    problem: Annotated[dict[str, Any] | None, Field(description="Why not, by column; or what to look at")]
    reverted: str | None


class ImportedRows(Contract):
    """One page, in the order of the file."""

    data: list[ImportedRow]
    next_cursor: str | None
