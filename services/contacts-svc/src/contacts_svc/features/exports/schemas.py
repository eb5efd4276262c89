"""What clients write and read of an export."""

import re
from typing import Annotated, Any, Literal, Self

from crm_contracts.ids import ExportId, JobId
from crm_contracts.sensitivity import OPEN, PRIVATE, Sensitivity
from crm_contracts.types import Entity, Input, Text, Timestamp
from crm_kit.conditions import Condition
from crm_kit.http.pagination import MAX_SORT_KEYS
from crm_kit.tabular import Format
from crm_kit.tabular.reading import MAX_COLUMNS
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from contacts_svc.features.export_columns.rules import ExportResource

ExportStatus = Literal["pending", "running", "succeeded", "failed", "cancelled", "expired"]
Encoding = Literal["utf-8-sig", "utf-8", "gb18030"]
Delimiter = Literal[",", ";", "\t", "|"]
ColumnPath = Annotated[Text, StringConstraints(min_length=1, max_length=150)]
_NO_FILE_NAME = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]|^\s|\s$')


def _file_name(value: str) -> str:
    if _NO_FILE_NAME.search(value):
        raise PydanticCustomError(
            "file_name",
            'Must not hold / \\ : * ? " < > | or control characters, nor begin or end in a space',
            {"zh": '不能含有 / \\ : * ? " < > | 或控制字符，首尾不能是空格'},
        )
    return value


FileName = Annotated[Text, StringConstraints(min_length=1, max_length=150), AfterValidator(_file_name)]


class ExportWrite(Input):
    """Which records, what of them, and how that is written."""

    resource: ExportResource
    where: Annotated[Condition | None, Field(description="As a search of the resource takes it")] = None
    sort: Annotated[
        list[Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100)]],
        Field(max_length=MAX_SORT_KEYS, description="As a search takes it; by default in the order of their creation"),
    ] = []
    columns: Annotated[
        list[ColumnPath] | None,
        Field(
            min_length=1,
            max_length=MAX_COLUMNS,
            description="Members by their paths, such as full_name, emails.0.address, custom.level, address.city, account.name;"
            " email and phone are all of a contact's. By default what an import takes",
            examples=[["full_name", "email", "external_ids.shopify"]],
        ),
    ] = None
    format: Format = "csv"
    delimiter: Annotated[Delimiter | None, Field(description="Of CSV; a comma by default")] = None
    encoding: Annotated[
        Encoding | None,
        Field(description="Of CSV; by default utf-8-sig, UTF-8 with the mark by which spreadsheets know it"),
    ] = None
    filename: Annotated[FileName | None, Field(description="Without its ending", examples=["客户 2026"])] = None

    @model_validator(mode="after")
    def _of_csv(self) -> Self:
        if self.format != "csv" and (self.delimiter is not None or self.encoding is not None):
            raise PydanticCustomError(
                "csv_only", "Only CSV has a delimiter and an encoding", {"zh": "只有 CSV 可以指定分隔符和编码"}
            )
        return self


class Export(Entity):
    """A file of records, of what who asked for it may see of them."""

    id: Annotated[ExportId, OPEN]
    resource: Annotated[str, OPEN]
    status: Annotated[ExportStatus, OPEN]
    where: Annotated[dict[str, Any] | None, Field(description="null once it has expired"), PRIVATE]
    sort: Annotated[list[str], OPEN]
    columns: Annotated[list[str] | None, Field(description="null while the default ones are being found"), OPEN]
    format: Annotated[Format, OPEN]
    delimiter: Annotated[str | None, OPEN]
    encoding: Annotated[str, OPEN]
    filename: Annotated[str, OPEN]
    rows: Annotated[int, Field(description="Records written so far"), OPEN]
    cut: Annotated[int, Field(description="Cells of a workbook that had no room for all of a text"), OPEN]
    shown: Annotated[
        list[Sensitivity], Field(description="The sensitivities of which something stands in the file in clear"), OPEN
    ]
    size: Annotated[int | None, Field(description="Bytes of the file; null while there is none"), OPEN]
    file: Annotated[str | None, Field(description="Where to get it; null while there is none"), OPEN]
    job_id: Annotated[JobId, Field(description="The job, whose progress /v1/jobs tells"), OPEN]
    requested_by: Annotated[str, OPEN]
    expires_at: Annotated[Timestamp, Field(description="Until then there is a file"), OPEN]
