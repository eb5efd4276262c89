"""Backup and restore of a whole stack: one folder that holds its databases, its secrets and its tenant.

    backup.json     what it is, and the checksums of the files beside it; written last
    postgres/       all databases, the event log among them, as of one moment (`crm_kit.db.base_backup`)
    secrets/, tenant.json

One base backup of the one cluster needs no order among the databases: a consumer moves its position after it has read
the record, so at no moment a position is ahead of the log, and no record is there without its service's row.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from crm_kit.db.base_backup import remove_restored, restore_base_backup, take_base_backup, verify_base_backup
from crm_kit.db.embedded import EmbeddedPostgres, EmbeddedPostgresError

from crm_local.configuration import Configuration
from crm_local.errors import StackError
from crm_local.run_folder import RunFolder, read_json, write_json

_FORMAT = 1
_RECORD = "backup.json"


def back_up(configuration: Configuration, target: Path) -> None:
    """Writes the stack of RUN_DIR, running or not, to the new folder `target`. Raises StackError, OSError."""
    folder = RunFolder(configuration.run_dir)
    _require_embedded(configuration, folder)
    if not (folder.postgres.is_dir() and folder.secrets.is_dir()):
        raise StackError(f"{folder.path} holds no stack: set RUN_DIR to the folder of the one to back up")
    if target.exists():
        raise StackError(f"{target} is there already: name a folder that does not exist yet")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that what stands there is complete.
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        with running_server(folder), one_sentence():
            take_base_backup(folder.postgres, unfinished / "postgres")
        shutil.copytree(folder.secrets, unfinished / folder.secrets.name)
        if folder.tenant_file.exists():
            shutil.copy2(folder.tenant_file, unfinished)
        taken_at = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(unfinished / _RECORD, {"format": _FORMAT, "taken_at": taken_at, "files": _checksums(unfinished)})
        _verify(unfinished)
        os.sync()
        unfinished.rename(target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def restore(configuration: Configuration, source: Path) -> None:
    """Writes a backup into RUN_DIR, which must be empty; the next start finds it. Raises StackError, OSError."""
    folder = RunFolder(configuration.run_dir)
    _require_embedded(configuration, folder)
    if folder.path.is_dir() and any(folder.path.iterdir()):
        raise StackError(f"{folder.path} is not empty: set RUN_DIR to a new folder, or move that one away")
    _verify(source)
    folder.open()
    try:
        shutil.copytree(source / folder.secrets.name, folder.secrets, dirs_exist_ok=True)
        if (source / folder.tenant_file.name).exists():
            shutil.copy2(source / folder.tenant_file.name, folder.tenant_file)
        with one_sentence():
            restore_base_backup(source / folder.postgres.name, folder.postgres)
    except BaseException:
        remove_restored(folder.postgres)
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    finally:
        folder.close()


def _require_embedded(configuration: Configuration, folder: RunFolder) -> None:
    if configuration.bus != "embedded" or (read_json(folder.bus_file) or {}).get("bus", "embedded") != "embedded":
        raise StackError("its event log is in Kafka, which this command does not back up: see docs/operating.md")


@contextmanager
def running_server(folder: RunFolder) -> Iterator[None]:
    """The server of the running stack; of one that does not run, PostgreSQL alone is started for this."""
    if folder.is_in_use():
        yield
        return
    folder.open()
    try:
        with one_sentence(), EmbeddedPostgres(folder.postgres, log_file=folder.log_file("postgres")):
            yield
    finally:
        folder.close()


def _verify(backup: Path) -> None:
    """Raises StackError for what is no complete backup, or was changed since."""
    record = read_json(backup / _RECORD)
    if record is None:
        raise StackError(f"{backup} holds no complete backup: {_RECORD} is missing")
    if record.get("format") != _FORMAT:
        raise StackError(f"{backup} was written by another version of this command: restore it with that one")
    if record.get("files") != _checksums(backup):
        raise StackError(f"{backup} is damaged: its secrets are not those that were written")
    with one_sentence():
        verify_base_backup(backup / "postgres")


def _checksums(backup: Path) -> dict[str, str]:
    """Of the files that PostgreSQL's own manifest does not cover."""
    files = [*(backup / "secrets").iterdir(), backup / "postgres" / "superuser_password", backup / "tenant.json"]
    found = (file for file in sorted(files) if file.is_file())
    return {str(file.relative_to(backup)): hashlib.sha256(file.read_bytes()).hexdigest() for file in found}


@contextmanager
def one_sentence() -> Iterator[None]:
    """Errors of PostgreSQL's as StackError."""
    try:
        yield
    except EmbeddedPostgresError as error:
        raise StackError(str(error)) from error
