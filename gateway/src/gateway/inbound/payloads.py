"""From a body to what mappings see of it: JSON as strictly as everywhere, XML without entities, forms. Pure."""

from typing import Any, Final
from urllib.parse import parse_qsl
from xml.parsers import expat

from crm_kit.http.json_body import JsonError, parse_json

_MAX_DEPTH: Final = 32
_MAX_ELEMENTS: Final = 10_000
_MAX_FIELDS: Final = 1_000
FORM: Final = "application/x-www-form-urlencoded"


class UnreadablePayload(ValueError):
    """No payload that can be mapped; `code` says why, the text where."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        super().__init__(detail)


def read_payload(body: bytes, content_type: str) -> Any:
    """Raises UnreadablePayload."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.endswith(("/xml", "+xml")):
        return read_xml(body)
    if media_type == FORM:
        return _read_form(body)
    try:
        return parse_json(body)
    except JsonError as error:
        where = f" at {error.pointer}" if error.pointer else ""
        raise UnreadablePayload(error.code, f"{error.detail}{where}"[:500]) from error


def _read_form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError as error:
        raise UnreadablePayload("malformed_form", "the form cannot be read") from error


def read_xml(body: bytes) -> Any:
    """Elements as members, their text as values; one that comes again makes a list. Attributes are left out.

    A document type is refused before anything of it is read, so that no entity is ever declared or expanded.
    """
    reader = _XmlReader()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise UnreadablePayload("malformed_xml", f"line {error.lineno}, column {error.offset}") from error
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        if isinstance(error, UnreadablePayload):
            raise
        raise UnreadablePayload("malformed_xml", "its encoding is not known") from error
    return reader.value


class _XmlReader:
    def __init__(self) -> None:
        self.value: Any = None
        self._open: list[tuple[dict[str, Any], list[str]]] = []
        self._count = 0

    def refuse(self, *_arguments: object) -> None:
        raise UnreadablePayload("xml_doctype", "a document type is not accepted")

    def start(self, _name: str, _attributes: object) -> None:
        self._count += 1
        if len(self._open) >= _MAX_DEPTH or self._count > _MAX_ELEMENTS:
            raise UnreadablePayload("too_deep", "too many elements, or too deep")
        self._open.append(({}, []))

    def text(self, data: str) -> None:
        if self._open:
            self._open[-1][1].append(data)

    def end(self, name: str) -> None:
        children, texts = self._open.pop()
        value: Any = children or "".join(texts).strip()
        if not self._open:
            self.value = value
            return
        parent = self._open[-1][0]
        known = parent.get(name)
        if isinstance(known, list):
            known.append(value)
        else:
            parent[name] = value if known is None else [known, value]
