"""`python -m gateway.documents.merge [folder of the checkout]`: writes the merged OpenAPI document into this package.

Reads what `make openapi` has written before: `services/X-svc/openapi.json` and `gateway/openapi.json`.
"""

import json
import sys
from pathlib import Path

from crm_contracts.document_text import document_text

from gateway.documents.openapi_merge import Document, merge
from gateway.documents.packaged import COMPONENTS_FILE, INFO, OPENAPI_FILE
from gateway.proxy.table import RouteTable
from gateway.upstream import SERVICES


def read_documents(checkout: Path) -> dict[str, Document]:
    """The gateway's and every service's document, by name. Raises FileNotFoundError."""
    files = {"gateway": checkout / "gateway" / "openapi.json"}
    files |= {service: checkout / "services" / f"{service}-svc" / "openapi.json" for service in SERVICES}
    return {service: json.loads(file.read_text(encoding="utf-8")) for service, file in files.items()}


def merged_texts(documents: dict[str, Document]) -> dict[Path, str]:
    """The files as they are committed."""
    document = merge(documents, info=INFO)
    components = document.pop("components")
    return {
        OPENAPI_FILE: document_text(document) + "\n",
        COMPONENTS_FILE: document_text(components, depth=2) + "\n",
    }


def main() -> None:
    checkout = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[4]
    try:
        documents = read_documents(checkout)
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is missing: run `make openapi`, which writes it first")
    texts = merged_texts(documents)
    RouteTable.from_document(json.loads(texts[OPENAPI_FILE]))  # what the proxy could not serve is not written
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
