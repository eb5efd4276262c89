"""`python -m crm_testkit.configuration_page FILE`: writes the table of all settings out of the settings classes."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from crm_kit.db.provision_command import ProvisionSettings
from crm_kit.environment import OF_ONE_SERVICE, is_secret
from crm_kit.manifest import Manifest
from crm_kit.settings import ServiceSettings
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

PACKAGES = ("contacts_svc", "pipeline_svc", "tickets_svc", "campaigns_svc", "gateway")

_UNITS = {
    "_seconds": "seconds",
    "_hours": "hours",
    "_days": "days",
    "_bytes": "bytes",
    "_quota": "requests",
    "_port": "port",
    "port": "port",
    "_connections": "connections",
    "_pool_size": "connections",
    "_hops": "proxies",
    "_factor": "copies",
    "_attempts": "deliveries",
    "_file": "path",
    "_url": "URL",
}

_INTRODUCTION = """# Configuration

Everything is set by environment variables; the same image runs everywhere. This page is generated from the settings
classes (`make configuration`), so it is what the processes read. A process whose settings are wrong does not start: it
ends with code 1 and one line that names every wrong variable, and never shows a value. A variable that is empty counts
as not set. A name that nothing reads and that looks like one of these is told as `unknown_setting` in the log.

**Secrets from files.** Where the default says *secret*, `<VARIABLE>_FILE` may name a file that holds the value in place
of the variable: UTF-8, one line feed at its end is dropped, at most 64 KiB. Give one of the two.

**Which processes.** The first table concerns every process of every service and the gateway: `serve`, `relay`,
`consume`, `timers` and the commands (`migrate`, `rebuild`, `audit`, …). The three URLs of the databases begin with the
service's name (`CONTACTS_DATABASE_URL`), so that one environment may hold those of several. What a role does not use it
checks all the same: give all processes of a service the same variables.
"""

_LOCAL = """
## The stack on one machine (`make run`)

It makes databases, roles and secrets itself, in `RUN_DIR`, and gives each process its variables; others pass through to all of them.

| variable | default | meaning | unit |
|---|---|---|---|
| `PORT_BASE` | `8080` | The gateway's port; the four services have the next ones | port |
| `RUN_DIR` | `.run` | Folder of all data, secrets and logs | path |
| `BUS` | `embedded` | `embedded` or `kafka` | |
| `KAFKA_BOOTSTRAP_SERVERS` | | `host:port`, separated by commas; needed with `BUS=kafka` | |
| `RELATA_KEY` | that of `RUN_DIR` | API key for `relata listen` | |
"""


def manifests() -> list[Manifest]:
    """Of all services and the gateway."""
    return [importlib.import_module(f"{package}.manifest").MANIFEST for package in PACKAGES]


def page() -> str:
    """The whole page, in Markdown."""
    parts = [_INTRODUCTION, "\n## Every process\n", *_table(ServiceSettings, ServiceSettings.model_fields)]
    for manifest in manifests():
        own = {
            name: info
            for name, info in manifest.settings.model_fields.items()
            if name not in ServiceSettings.model_fields
        }
        if own:
            parts += [f"\n## Processes of {manifest.package.replace('_', '-')}\n", *_table(manifest.settings, own)]
    provision = _table(ProvisionSettings, ProvisionSettings.model_fields)
    parts += ["\n## The command `provision`\n", *provision]
    return "\n".join(parts) + "\n" + _LOCAL


def _table(model: type[BaseModel], fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    yield "| variable | default | meaning | unit |"
    yield "|---|---|---|---|"
    for name, info in fields.items():
        if not info.description:
            raise ValueError(f"{model.__name__}.{name} has no description")
        variable = f"<SERVICE>_{name.upper()}" if name in OF_ONE_SERVICE else name.upper()
        meaning = "; ".join(filter(None, [info.description, _range(info)])).replace("|", "\\|")
        yield f"| `{variable}` | {_default(info)} | {meaning} | {_unit(name)} |"


def _default(info: FieldInfo) -> str:
    said = []
    if is_secret(info):
        said.append("*secret*")
    if info.is_required():
        said.append("**needed**")
    elif info.default not in (None, "", PydanticUndefined):
        value: Any = info.default
        said.append(f"`{str(value).lower() if isinstance(value, bool) else value}`")
    return ", ".join(said)


def _range(info: FieldInfo) -> str:
    choices = [value for value in get_args(info.annotation) if get_origin(info.annotation) is Literal]
    if choices:
        return "one of " + ", ".join(f"`{choice}`" for choice in choices)
    words = {"ge": "at least", "gt": "more than", "le": "at most"}
    bounds = [
        f"{words[kind]} {value:,}".replace(",", " ")
        for mark in info.metadata
        for kind in words
        if (value := getattr(mark, kind, None)) is not None
    ]
    return ", ".join(bounds)


def _unit(name: str) -> str:
    return next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
