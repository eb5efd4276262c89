"""`python -m <service> tenant-freeze | tenant-thaw | tenant-settle | tenant-export | tenant-import |
tenant-restate | tenant-delete`.

Each does its part for one service. Exit code 1 with a sentence where it is refused, 2 where the same command may succeed later.
"""

import getpass
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy.exc import DBAPIError

from crm_kit.bus import EventLogError
from crm_kit.manifest import Manifest
from crm_kit.settings import ServiceSettings, SettingsError
from crm_kit.tenants.deleting import delete_tenant
from crm_kit.tenants.errors import NotSettled, TenantRefused
from crm_kit.tenants.exporting import export_tenant
from crm_kit.tenants.holding import freeze, thaw
from crm_kit.tenants.importing import import_tenant, restate_tenant
from crm_kit.tenants.settling import settle

_HELP: Final = {
    "tenant-freeze": "make a tenant read-only, until tenant-thaw",
    "tenant-thaw": "let a tenant's writes in again",
    "tenant-settle": "wait until what was written for a tenant is told, and applied here; print the number of its changes",
    "tenant-export": "write all that is held of a tenant into a folder: NDJSON, a file a table",
    "tenant-import": "take a tenant's export in, read-only until tenant-thaw",
    "tenant-restate": "publish every entity of a tenant that was taken in once more, once all services have taken it in",
    "tenant-delete": "delete all that is held of a read-only tenant, for good, and print the certificate",
}
COMMANDS: Final = frozenset(_HELP)


def add_arguments(add: Callable[..., ArgumentParser]) -> None:
    """`add`: of the parser of commands."""
    parsers = {name: add(name, help=text) for name, text in _HELP.items()}
    for name, parser in parsers.items():
        if name == "tenant-import":
            parser.add_argument("source", type=Path, metavar="FOLDER", help="that tenant-export has written")
        else:
            parser.add_argument("tenant", metavar="TENANT", help="its id")
        if name in ("tenant-freeze", "tenant-import", "tenant-delete"):
            parser.add_argument(
                "--by", default="", metavar="NAME", help="who does it (default: the user of this machine)"
            )
        if name in ("tenant-settle", "tenant-delete"):
            parser.add_argument("--seconds", type=float, default=60.0, help="how long to wait for others (default 60)")
    parsers["tenant-export"].add_argument(
        "--to", type=Path, required=True, metavar="FOLDER", help="that does not exist yet"
    )
    parsers["tenant-import"].add_argument(
        "--source-secret-file",
        type=Path,
        metavar="FILE",
        help="holds the SECRET of the service that it was exported from",
    )
    parsers["tenant-delete"].add_argument(
        "--confirm", action="store_true", required=True, help="it cannot be taken back"
    )


async def run(manifest: Manifest, settings: ServiceSettings, arguments: Namespace) -> int:
    """The exit code. Raises SettingsError."""

    def say(sentence: str) -> None:
        sys.stdout.write(f"{manifest.name}: {sentence}\n")
        sys.stdout.flush()

    try:
        await _done(manifest, settings, arguments, say)
    except NotSettled as error:
        sys.stderr.write(f"{manifest.name}: not yet: {error}\n")
        return 2
    except TenantRefused as error:
        sys.stderr.write(f"{manifest.name}: refused: {error}\n")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError, EventLogError) as error:
        sys.stderr.write(f"{manifest.name}: {type(error).__name__}: {getattr(error, 'orig', None) or error}\n")
    else:
        return 0
    return 1


async def _done(
    manifest: Manifest, settings: ServiceSettings, arguments: Namespace, say: Callable[[str], None]
) -> None:
    match arguments.command:
        case "tenant-freeze":
            await freeze(manifest.name, settings, arguments.tenant, _who(arguments))
            say(f"{arguments.tenant} is read-only")
        case "tenant-thaw":
            await thaw(manifest.name, settings, arguments.tenant)
            say(f"{arguments.tenant} takes writes")
        case "tenant-settle":
            say(f"settled {await settle(manifest, settings, arguments.tenant, arguments.seconds)}")
        case "tenant-export":
            await export_tenant(manifest, settings, arguments.tenant, arguments.to, say)
        case "tenant-import":
            secret = _secret(arguments.source_secret_file)
            await import_tenant(manifest, settings, arguments.source, _who(arguments), say, source_secret=secret)
        case "tenant-restate":
            restated = await restate_tenant(manifest, settings, arguments.tenant)
            say(f"{restated} entities published once more as they are")
        case _:
            told: dict[str, Any] = await delete_tenant(
                manifest, settings, arguments.tenant, _who(arguments), say, seconds=arguments.seconds
            )
            sys.stdout.write(json.dumps(told) + "\n")


def _who(arguments: Namespace) -> str:
    return str(arguments.by).strip() or getpass.getuser()


def _secret(file: Path | None) -> str | None:
    """Raises SettingsError."""
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--source-secret-file: {file} cannot be read: {error}") from error
