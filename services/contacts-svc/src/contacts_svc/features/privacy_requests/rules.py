"""Pure decisions about privacy requests."""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Final

import orjson

SERVICES: Final = ("contacts", "pipeline", "tickets", "campaigns", "gateway")
"""Who holds something of persons."""

_SCRYPT: Final = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


def digest(salt: bytes, value: str) -> bytes:
    """Tells an address or number again, and does not tell which: scrypt (RFC 7914), so that trying all numbers takes years."""
    return hashlib.scrypt(value.encode(), salt=salt, **_SCRYPT)


def is_complete(pieces: Mapping[int, bool]) -> bool:
    """`pieces`: by number whether it is the last. Whether there is a last one, and all before it."""
    return any(is_last and len(pieces) == number + 1 for number, is_last in pieces.items())


def write_archive(file: BinaryIO, lines: Iterable[tuple[str, bytes]], about: Mapping[str, Any]) -> None:
    """A ZIP of one file of lines of JSON a service and kind, and a manifest. `lines`: (service, line of kind and entity)."""
    by_name: dict[str, list[bytes]] = {}
    for service, line in lines:
        told = orjson.loads(line)
        by_name.setdefault(f"{service}/{told['kind']}.ndjson", []).append(orjson.dumps(told["entity"]) + b"\n")
    counts = {name: len(each) for name, each in sorted(by_name.items())}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps({**about, "files": counts}, ensure_ascii=False, indent=2) + "\n")
        for name, each in sorted(by_name.items()):
            archive.writestr(name, b"".join(each))


def kept_consents(ledger: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of the deciding entries what tells nobody who it was."""
    return [{name: entry[name] for name in ("channel", "purpose", "status", "legal_basis", "at")} for entry in ledger]
