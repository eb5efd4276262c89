"""docs/values.md: the chart's values with their defaults and meanings, out of its schema."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from crm_delivery.topology import CHART, ROOT

PAGE: Final[Path] = ROOT / "docs" / "values.md"

_HEAD: Final = """# Values of the chart

Written by `make render` from `deploy/helm/relata/values.schema.json` and `values.yaml`. How to use them: [deploying](deploying.md).

| value | default | meaning |
|---|---|---|
"""


def text() -> str:
    """The page as it has to be. Raises KeyError for a value that has no description."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = (f"| `{name}` | {_shown(default)} | {meaning} |\n" for name, default, meaning in _rows(schema, defaults))
    return _HEAD + "".join(rows)


def _rows(schema: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    for name, each in schema["properties"].items():
        if name in defaults:
            yield from _of(name, each, defaults[name], schema["definitions"])


def _of(name: str, schema: Mapping[str, Any], default: Any, known: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """A row for what is no group; of a group its own, and those of its members."""
    if "$ref" in schema:
        schema = known[schema["$ref"].rpartition("/")[2]]
    inner = schema.get("properties", {})
    yield name, None if inner else default, schema["description"]
    for member, each in inner.items():
        if isinstance(default, dict) and member in default:
            yield from _of(f"{name}.{member}", each, default[member], known)


def _shown(default: Any) -> str:
    if default is None or default in ("", [], {}):
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"
