"""A base backup of the embedded PostgreSQL: all of its databases as of one moment, while it runs.

PostgreSQL's own `pg_basebackup` copies the files and, beside them, the write-ahead log that makes them consistent;
`pg_verifybackup` compares the copy with the manifest that the server sent along.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from crm_kit.db.processes import end_with_parent
from crm_kit.db.running import find_running
from crm_kit.db.system_user import (
    EmbeddedPostgresError,
    SystemUser,
    child_environment,
    find_binaries,
    find_open_folder,
    find_system_user,
)

_CLUSTER, _PASSWORD = "cluster", "superuser_password"
# Without it PostgreSQL does not start, so it is copied last: a restore that was cut short is noticed.
_CONTROL = Path("global", "pg_control")


def take_base_backup(data_dir: Path, target: Path) -> None:
    """Copies the running server of `data_dir` into the new folder `target`, and verifies the copy.

    Raises EmbeddedPostgresError in one sentence.
    """
    server = find_running(data_dir)
    target.mkdir(mode=0o700)
    copy = target / _CLUSTER
    _run(
        "pg_basebackup",
        [f"--pgdata={copy}", "--wal-method=stream", "--checkpoint=fast", "--manifest-checksums=SHA256"],
        {"PGHOST": server.socket_dir, "PGPORT": server.port, "PGUSER": "postgres", "PGPASSWORD": server.password},
    )
    descriptor = os.open(target / _PASSWORD, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(server.password)
        file.flush()
        os.fsync(file.fileno())
    verify_base_backup(target)


def verify_base_backup(source: Path) -> None:
    """Raises EmbeddedPostgresError unless every file is as the server wrote it, and the log that it needs is there."""
    _run("pg_verifybackup", ["--exit-on-error", "--quiet", str(source / _CLUSTER)], {})


def restore_base_backup(source: Path, data_dir: Path) -> None:
    """Copies a verified backup into the new folder `data_dir`, from which EmbeddedPostgres then starts.

    Raises EmbeddedPostgresError, and OSError where there is no room.
    """
    data_dir.mkdir(mode=0o711)
    user = find_system_user()
    folder = find_open_folder(data_dir, user)
    cluster = folder / _CLUSTER
    shutil.copytree(source / _CLUSTER, cluster, symlinks=True, ignore=_without_control(source / _CLUSTER))
    shutil.copyfile(source / _PASSWORD, folder / _PASSWORD)
    (folder / _PASSWORD).chmod(0o600)
    _give(cluster, user)
    control = cluster / _CONTROL
    shutil.copy2(source / _CLUSTER / _CONTROL, control)
    user.give(control)
    os.sync()


def remove_restored(data_dir: Path) -> None:
    """Undoes a restore that failed."""
    with suppress(OSError, EmbeddedPostgresError):
        if (data_dir / "elsewhere").exists():
            shutil.rmtree(find_open_folder(data_dir, find_system_user()))
    shutil.rmtree(data_dir, ignore_errors=True)


def _without_control(cluster: Path) -> Callable[[str, list[str]], set[str]]:
    def ignored(folder: str, names: list[str]) -> set[str]:
        return {_CONTROL.name} & set(names) if Path(folder) == cluster / _CONTROL.parent else set()

    return ignored


def _give(folder: Path, user: SystemUser) -> None:
    folder.chmod(0o700)
    for path in (folder, *folder.rglob("*")):
        user.give(path)


def _run(program: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    command = [str(find_binaries(SystemUser(None)) / program), *arguments]
    done = subprocess.run(  # noqa: S603 our own command
        command,
        env={**child_environment(), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=end_with_parent(signal.SIGKILL),
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"code {done.returncode}"]
        raise EmbeddedPostgresError(f"{program} failed: {'; '.join(lines[:2])}")
