"""The merged OpenAPI document: where it lies in this package, and how it introduces itself."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

OPENAPI_FILE: Final = Path(__file__).parent / "openapi.json"
COMPONENTS_FILE: Final = Path(__file__).parent / "openapi-components.json"
"""The document's `components`, which it would be over a megabyte with."""

INFO: Final[dict[str, Any]] = {
    "title": "Relata",
    "summary": "A headless, API-first CRM",
    "version": "1.0.0",
    "description": (Path(__file__).parent / "description.md").read_text(encoding="utf-8"),
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}


@cache
def openapi() -> dict[str, Any]:
    """The merged OpenAPI document."""
    document, components = (json.loads(file.read_text(encoding="utf-8")) for file in (OPENAPI_FILE, COMPONENTS_FILE))
    return {**document, "components": components}
