"""Generated documents as they are committed."""

import json


def document_text(document: object, depth: int = 3) -> str:
    """Down to a depth, that of operations and schemas, each member on a line of its own, which keeps it small and a diff readable."""
    if not depth or not isinstance(document, dict):
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    members = (f"{json.dumps(name)}: {document_text(inner, depth - 1)}" for name, inner in document.items())
    return "{\n" + ",\n".join(members) + "\n}"
