"""The merged OpenAPI document: where it lies in this package, and how it introduces itself."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

OPENAPI_FILE: Final = Path(__file__).parent / "openapi.json"

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
    document: dict[str, Any] = json.loads(OPENAPI_FILE.read_text(encoding="utf-8"))
    return document
