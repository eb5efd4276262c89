"""`python -m crm_kit.db.bootstrap --passwords FOLDER <name>…`: makes the databases of services and their roles.

`SUPERUSER_URL` names the server and a role that may. FOLDER has a file with the password of each role, named as the role:
`<name>_owner`, `<name>_app`, `<name>_system`. Run again it sets passwords and rights, and changes nothing else.
"""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from crm_kit.db.provision import EventLogDatabase, ServiceDatabase, provision

# Passwords stand in URLs as they are.
_PLAIN = re.compile(r"[A-Za-z0-9_~-]{16,}")


class BootstrapRefused(Exception):
    """What was given cannot be used; the text says what and why."""


def read_password(folder: Path, role: str) -> str:
    """Raises BootstrapRefused where there is none, or one that a URL would read otherwise."""
    try:
        password = (folder / role).read_text().strip()
    except OSError as error:
        raise BootstrapRefused(f"the password of {role} cannot be read: {error.strerror}") from error
    if not _PLAIN.fullmatch(password):
        raise BootstrapRefused(f"the password of {role} must be 16 letters, digits, `_`, `~` or `-`, or more")
    return password


def databases(names: list[str], folder: Path, *, event_log: bool) -> list[ServiceDatabase | EventLogDatabase]:
    """What is to be there. Raises BootstrapRefused."""
    wanted: list[ServiceDatabase | EventLogDatabase] = [
        ServiceDatabase(name, *(read_password(folder, f"{name}_{kind}") for kind in ("owner", "app", "system")))
        for name in names
    ]
    if event_log:
        wanted.append(EventLogDatabase(read_password(folder, "event_log")))
    return wanted


def main(arguments: list[str], environment: Mapping[str, str]) -> str | None:
    """None, or in one sentence why it did not go."""
    parser = argparse.ArgumentParser(prog="python -m crm_kit.db.bootstrap", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="+", help="of the services")
    parser.add_argument("--passwords", type=Path, required=True, help="the folder with a file for each role")
    parser.add_argument("--event-log", action="store_true", help="the embedded event log's database, too")
    asked = parser.parse_args(arguments)
    url = environment.get("SUPERUSER_URL")
    if not url:
        return "SUPERUSER_URL: is needed; it names the server and a role that may create databases and roles"
    try:
        asyncio.run(provision(url, *databases(asked.names, asked.passwords, event_log=asked.event_log)))
    except (BootstrapRefused, ValueError) as error:
        return str(error)
    except (asyncpg.PostgresError, OSError) as error:
        return f"PostgreSQL could not be given its databases and roles: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
