"""What operators do with a tenant, over all services of the stack in RUN_DIR: hold, export, take in, delete."""

import json
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from crm_local.beside import each_service
from crm_local.configuration import PROCESSES, Configuration
from crm_local.errors import StackError
from crm_local.run_folder import read_json, write_json

VERBS: Final = {
    "tenant-freeze": "make the tenant read-only",
    "tenant-thaw": "let the tenant's writes in",
    "tenant-export": "export the tenant",
    "tenant-import": "take the tenant in",
    "tenant-delete": "delete the tenant",
}

# The gateway last: a tenant is one once its keys are there. And first where it goes.
_KEYS_LAST: Final = (*(name for name in PROCESSES if name != "gateway"), "gateway")
_KEYS_FIRST: Final = tuple(reversed(_KEYS_LAST))

_ROUNDS: Final = 20


def add_arguments(add: Callable[..., ArgumentParser]) -> None:
    """`add`: of the parser of commands."""
    freezing = add("tenant-freeze", help="make a tenant read-only in all services, until nothing of it is under way")
    thawing = add("tenant-thaw", help="let a tenant's writes in again")
    exporting = add("tenant-export", help="write a tenant into a new folder, a folder a service")
    deleting = add("tenant-delete", help="delete a read-only tenant from all services, for good")
    for parser in (freezing, thawing, exporting, deleting):
        parser.add_argument("tenant", metavar="TENANT")
    exporting.add_argument("folder", type=Path, metavar="FOLDER")
    deleting.add_argument("certificate", type=Path, metavar="FILE", help="a new file, for what was deleted; JSON")
    deleting.add_argument("--confirm", action="store_true", required=True, help="it cannot be taken back")
    importing = add("tenant-import", help="take an exported tenant in, read-only until tenant-thaw")
    importing.add_argument("folder", type=Path, metavar="FOLDER")
    importing.add_argument(
        "--source-secrets", type=Path, metavar="FOLDER", help="`secrets` in the RUN_DIR of the stack it is from"
    )


def on_tenant(configuration: Configuration, chosen: Namespace, say: Callable[[str], None]) -> int:
    """The exit code; each service has printed what it did. Raises StackError, OSError."""
    if chosen.command == "tenant-freeze":
        return each_service(configuration, _same("tenant-freeze", chosen.tenant)) or _settle(
            configuration, chosen.tenant, say
        )
    if chosen.command == "tenant-export":
        folder = str(chosen.folder.absolute())
        return _until_one_fails(configuration, _same("tenant-export", chosen.tenant, "--to", folder))
    if chosen.command == "tenant-import":
        return _import(configuration, chosen.folder.absolute(), chosen.source_secrets, say)
    if chosen.command == "tenant-delete":
        return _delete(configuration, chosen.tenant, chosen.certificate.absolute())
    return each_service(configuration, _same("tenant-thaw", chosen.tenant), names=_KEYS_LAST)


def _same(*arguments: str) -> Callable[[str], Sequence[str]]:
    return lambda _name: arguments


def _until_one_fails(
    configuration: Configuration, arguments: Callable[[str], Sequence[str]], names: Sequence[str] = _KEYS_LAST
) -> int:
    return each_service(configuration, arguments, names=names, stop_at_failure=True)


def _settle(configuration: Configuration, tenant: str, say: Callable[[str], None]) -> int:
    """Until no service has changed anything in a whole round: what one is told of may have another tell of something."""
    before: dict[str, str] = {}
    for _ in range(_ROUNDS):
        found: dict[str, str] = {}
        code = each_service(configuration, _same("tenant-settle", tenant), heard=found.__setitem__)
        if code:
            return code
        if found == before:
            say(f"{tenant} is read-only, and nothing of it is under way")
            return 0
        before = found
    raise StackError("something of it changes all the time: look for dead letters and jobs")


def _import(configuration: Configuration, folder: Path, secrets: Path | None, say: Callable[[str], None]) -> int:
    """First the rows of all, then their states into the event log: who is told of something has it already."""
    told = read_json(folder / "gateway" / "manifest.json")
    tenant = None if told is None else told.get("tenant_id")
    if not isinstance(tenant, str):
        raise StackError(f"{folder} holds no complete export of a tenant")
    given = read_json(secrets / "credentials.json") if secrets is not None else {}
    if given is None:
        raise StackError(f"{secrets} holds no credentials.json")
    with tempfile.TemporaryDirectory(prefix="relata-") as temporary:

        def arguments(name: str) -> Sequence[str]:
            if not given:
                return ("tenant-import", str(folder))
            file = Path(temporary) / name
            file.touch(mode=0o600)
            file.write_text(str(given.get(f"{name}_secret", "")), encoding="utf-8")
            return ("tenant-import", str(folder), "--source-secret-file", str(file))

        code = _until_one_fails(configuration, arguments)
    return (
        code or _until_one_fails(configuration, _same("tenant-restate", tenant)) or _settle(configuration, tenant, say)
    )


def _delete(configuration: Configuration, tenant: str, certificate: Path) -> int:
    """All of them, as far as it comes: each goes on where it was when the command is run again."""
    if certificate.exists():
        raise StackError(f"{certificate} is there already: name a file that does not exist yet")
    certificates: dict[str, object] = {}

    def heard(name: str, printed: str) -> None:
        last = printed.strip().rpartition("\n")[2]
        if last.startswith("{"):
            certificates[name] = json.loads(last)

    code = each_service(configuration, _same("tenant-delete", tenant, "--confirm"), names=_KEYS_FIRST, heard=heard)
    if not code:
        write_json(certificate, {"tenant_id": tenant, "services": certificates})
    return code
