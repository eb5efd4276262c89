"""`python -m gateway.documents.merge [folder of the checkout]`: writes the merged OpenAPI document into this package.

Reads what `make openapi` has written before: `services/X-svc/openapi.json` and `gateway/openapi.json`.
"""

import json
import sys
from pathlib import Path

from gateway.documents.openapi_merge import Document, merge
from gateway.documents.packaged import INFO, OPENAPI_FILE
from gateway.proxy.table import RouteTable
from gateway.upstream import SERVICES

_DEPTH = 3
"""Paths and their methods, components and their names."""


def read_documents(checkout: Path) -> dict[str, Document]:
    """The gateway's and every service's document, by name. Raises FileNotFoundError."""
    files = {"gateway": checkout / "gateway" / "openapi.json"}
    files |= {service: checkout / "services" / f"{service}-svc" / "openapi.json" for service in SERVICES}
    return {service: json.loads(file.read_text(encoding="utf-8")) for service, file in files.items()}


def merged_text(documents: dict[str, Document]) -> str:
    """The file as it is committed: one line for each operation and each schema, which keeps it small and a diff readable."""
    return _lines(merge(documents, info=INFO), depth=_DEPTH) + "\n"


def _lines(value: object, depth: int) -> str:
    """JSON with an object's members on lines of their own, down to a depth."""
    if not depth or not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))  # it is a megabyte
    members = (f"{json.dumps(name)}: {_lines(inner, depth - 1)}" for name, inner in value.items())
    return "{\n" + ",\n".join(members) + "\n}"


def main() -> None:
    checkout = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[4]
    try:
        documents = read_documents(checkout)
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is missing: run `make openapi`, which writes it first")
    text = merged_text(documents)
    RouteTable.from_document(json.loads(text))  # what the proxy could not serve is not written
    OPENAPI_FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
