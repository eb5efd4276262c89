"""`python -m crm_local.compose <step> FOLDER`: what compose.yaml does once, before and after the processes start.

`password` writes the superuser's password; `prepare` makes passwords, keys, databases and roles, and writes the settings of
each service to FOLDER/<service>.env, for a shell; `tenant` creates the demo tenant. Each leaves what is there as it is.
"""

import argparse
import asyncio
import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import asyncpg
from crm_kit.db.provision import provision
from crm_kit.environment import read_secret, with_password

from crm_local.configuration import PROCESSES
from crm_local.credentials import ensure_credentials
from crm_local.errors import StackError
from crm_local.run_folder import RunFolder
from crm_local.tenant import ensure_tenant

_PASSWORD_FILE: Final = "postgresql"  # noqa: S105  # a file's name


def main(arguments: list[str], environment: Mapping[str, str]) -> str | None:
    """None, or in one sentence why it did not go."""
    parser = argparse.ArgumentParser(prog="python -m crm_local.compose")
    steps = parser.add_subparsers(dest="step", required=True)
    for step in ("password", "prepare", "tenant"):
        steps.add_parser(step).add_argument("folder", type=Path)
    steps.choices["prepare"].add_argument("--superuser", type=Path, required=True, help="the file of `password`")
    steps.choices["tenant"].add_argument("--port", type=int, required=True, help="the gateway's, on this host")
    asked = parser.parse_args(arguments)
    try:
        if asked.step == "password":
            write_password(asked.folder)
        elif asked.step == "prepare":
            asyncio.run(prepare(asked.folder, with_password(environment["SERVER_URL"], read_secret(asked.superuser))))
        else:
            asyncio.run(_tell_tenant(asked.folder, asked.port))
    except StackError as error:
        return str(error)
    except (asyncpg.PostgresError, OSError) as error:
        return f"{asked.step} failed: {error}"
    return None


def write_password(folder: Path) -> None:
    """The superuser's, unless there is one. PostgreSQL's own user reads it, who is another: the volume is theirs alone."""
    file = folder / _PASSWORD_FILE
    if not file.exists():
        folder.chmod(0o755)
        file.write_text(secrets.token_urlsafe(32))
        file.chmod(0o444)


async def prepare(folder: Path, superuser_url: str) -> None:
    """Raises StackError, asyncpg's errors and OSError."""
    credentials = ensure_credentials(folder)
    await provision(superuser_url, *credentials.databases.values())
    for name in PROCESSES:
        secret = credentials.settings_of(name, superuser_url)
        lines = (f"{key}={shlex.quote(value)}\n" for key, value in secret.items())
        file = folder / f"{name}.env"
        file.touch(mode=0o600)
        file.write_text("".join(lines))


async def _tell_tenant(folder: Path, port: int) -> None:
    tenant = await ensure_tenant(RunFolder(folder), port, ensure_credentials(folder).admin_key)
    sys.stdout.write(f"tenant {tenant.tenant_id}\nAPI key {tenant.api_key}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
