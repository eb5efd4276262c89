"""The embedded PostgreSQL that runs in a folder, whoever has started it."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from crm_kit.db.system_user import EmbeddedPostgresError, find_open_folder, find_system_user


@dataclass(frozen=True, slots=True)
class RunningServer:
    """How to reach it as its superuser."""

    socket_dir: str
    port: str
    password: str

    def superuser_url(self, database: str = "postgres") -> str:
        """`postgresql://` URL; holds the password."""
        host, password = quote(self.socket_dir, safe="/"), quote(self.password, safe="")
        return f"postgresql://postgres:{password}@/{quote(database, safe='')}?host={host}&port={self.port}"


def find_running(data_dir: Path) -> RunningServer:
    """Raises EmbeddedPostgresError where none runs."""
    folder = find_open_folder(data_dir, find_system_user())
    # pid, folder, start, port and socket folder, each on its line (PostgreSQL's miscadmin.h).
    try:
        _pid, _folder, _start, port, socket_dir = (folder / "cluster" / "postmaster.pid").read_text().splitlines()[:5]
    except (FileNotFoundError, ValueError) as error:
        raise EmbeddedPostgresError(f"no PostgreSQL runs in {data_dir}") from error
    return RunningServer(socket_dir, port, (folder / "superuser_password").read_text(encoding="ascii").strip())
