"""The folder of an export: one file of NDJSON for each table, and what tells of them.

    <service>/manifest.json      written last: without it the folder holds no complete export
    <service>/<table>.ndjson     a row a line, members by column, in the order of the primary key

Values are as PostgreSQL's `row_to_json` has them: moments in ISO 8601 with `+00:00`, bytes as `\\x` and hex digits, exact numbers.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crm_kit.tenants.errors import TenantRefused

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"

# As CSV with a separator and a quotation mark that JSON never holds PostgreSQL's COPY takes and gives lines as they are.
DELIMITER: Final = "\x01"
QUOTE: Final = "\x02"

_CHUNK_BYTES: Final = 4 * 1024 * 1024


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileManifest(_Strict):
    """One table's file. `columns`: those that an import writes."""

    rows: int = Field(ge=0)
    bytes: int = Field(ge=0)
    sha256: str
    columns: list[str]


class ExportManifest(_Strict):
    """`schema_revision`: the migration that the tables were as. `is_settled`: whether it was read-only, and nothing under way."""

    format: int
    service: str
    tenant_id: str
    schema_revision: str
    taken_at: str
    is_settled: bool
    unsettled: str
    tables: dict[str, FileManifest]

    @property
    def digest(self) -> str:
        """Of this export, and no other."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class CountingFile:
    """Takes what is written to it into a file, and tells how much that was."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.rows = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.bytes += len(data)
        self.rows += data.count(b"\n")

    def told(self, columns: list[str]) -> FileManifest:
        return FileManifest(rows=self.rows, bytes=self.bytes, sha256=self._hash.hexdigest(), columns=columns)


def write_manifest(folder: Path, manifest: ExportManifest) -> None:
    """Whole and at once, on the disk with all that it tells of."""
    os.sync()
    fresh = folder / f"{MANIFEST}.new"
    with fresh.open("x", encoding="utf-8") as file:
        json.dump(manifest.model_dump(), file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / MANIFEST)


def read_manifest(folder: Path) -> ExportManifest:
    """Of an export whose files are as they were written. Raises TenantRefused."""
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except OSError:
        raise TenantRefused(f"{folder} holds no complete export: {MANIFEST} cannot be read") from None
    try:
        given: Any = json.loads(text)
        if isinstance(given, dict) and given.get("format") != FORMAT:
            raise TenantRefused(f"{folder} was written by another version of this command: take it in by that one")
        manifest = ExportManifest.model_validate(given)
    except (ValueError, ValidationError) as error:
        raise TenantRefused(f"{folder / MANIFEST} is damaged") from error
    for name, told in manifest.tables.items():
        check_file(folder, name, told)
    return manifest


def check_file(folder: Path, name: str, told: FileManifest) -> None:
    """Raises TenantRefused."""
    found = CountingFile(_Nowhere())  # type: ignore[arg-type]  # all that it does is write
    try:
        for chunk in chunks(file_of(folder, name)):
            found.write(chunk)
    except OSError as error:
        raise TenantRefused(f"{name}.ndjson cannot be read: {error.strerror}") from None
    if found.told(told.columns) != told:
        raise TenantRefused(f"{name}.ndjson is not what was written: its checksum differs")


def file_of(folder: Path, table: str) -> Path:
    """Raises TenantRefused for what is no table's name: it came from a file."""
    if not table.replace("_", "").isalnum() or not table.isascii():
        raise TenantRefused(f"{table!r} is no table")
    return folder / f"{table}.ndjson"


def chunks(path: Path) -> Iterator[bytes]:
    """A file in pieces of whole lines, each of some megabytes or of one line that is longer."""
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            yield piece if piece.endswith(b"\n") else piece + file.readline()


class _Nowhere:
    def write(self, _data: bytes) -> None:
        """Nothing is kept."""
