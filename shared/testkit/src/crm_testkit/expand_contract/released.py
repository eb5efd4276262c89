"""`python -m crm_testkit.expand_contract.released`: what is there now is released, and later migrations are held to it.

A file `RELEASED` beside a service's migrations names the newest of the last release.
"""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from crm_kit.db.migrations import head_revision
from crm_kit.manifest import Manifest
from crm_local.configuration import MODULES

_FILE: Final = "RELEASED"


def manifests() -> Mapping[str, Manifest]:
    """Of the gateway and all services, by name."""
    return {name: importlib.import_module(f"{module}.manifest").MANIFEST for name, module in MODULES.items()}


def released_revision(migrations: Path) -> str:
    """The newest migration of the last release."""
    return (migrations / _FILE).read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    for manifest in manifests().values():
        head = head_revision(manifest.migrations)
        (manifest.migrations / _FILE).write_text(f"{head}\n", encoding="utf-8")
        sys.stdout.write(f"{manifest.name}: {head}\n")
