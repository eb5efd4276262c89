"""The folder that holds everything of one stack: data, secrets, logs and dev.json."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from crm_local.errors import StackError


class RunFolder:
    """One process at a time owns it; the lock ends with that process, however it ends."""

    def __init__(self, path: Path):
        self.path = path
        self.dev_file = path / "dev.json"
        self.tenant_file = path / "tenant.json"
        self.bus_file = path / "bus.json"
        self.secrets = path / "secrets"
        self.logs = path / "logs"
        self.postgres = path / "postgres"
        self._lock: IO[str] | None = None

    def open(self) -> None:
        """Create what is missing, take the lock, remove the last run's dev.json; raises `StackError`."""
        try:
            # Others may pass through but not look: PostgreSQL may run under another user (crm_kit.db).
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            self._take_lock()
            self.logs.mkdir(mode=0o700, exist_ok=True)
            self.secrets.mkdir(mode=0o700, exist_ok=True)
            self.dev_file.unlink(missing_ok=True)
        except OSError as error:
            self.close()
            raise StackError(
                f"cannot use {error.filename or self.path}: {error.strerror}; "
                "set RUN_DIR to a folder that you may write"
            ) from error

    @property
    def is_open(self) -> bool:
        """True while the lock is ours."""
        return self._lock is not None

    def is_in_use(self) -> bool:
        """True while a stack runs here, in whichever process."""
        try:
            with (self.path / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def log_file(self, name: str) -> Path:
        """Where the process `name` writes its output."""
        return self.logs / f"{name}.log"

    def _take_lock(self) -> None:
        lock = (self.path / "lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise StackError(
                f"a stack already runs in {self.path} (process {owner}): stop it, "
                "or set RUN_DIR and PORT_BASE for another"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock


@contextmanager
def temporary_run_dir() -> Iterator[Path]:
    """A folder for a stack that is thrown away; unlike `mkdtemp`'s, PostgreSQL's own user can enter it."""
    folder = Path(tempfile.mkdtemp(prefix="relata-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Whole and at once, readable by its owner only: a reader sees the old file or the new one."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600, exist_ok=False)
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def read_json(path: Path) -> dict[str, object] | None:
    """None if there is no such file; raises `StackError` for one that is damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StackError(f"{path} is damaged: delete it, and it will be written anew") from error
    if not isinstance(value, dict):
        raise StackError(f"{path} is damaged: delete it, and it will be written anew")
    return value
