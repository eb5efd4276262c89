"""What a file is: its format, encoding, delimiter. Told by its first bytes and lines, where nobody says."""

import codecs
import csv
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Final, Literal

import orjson
from charset_normalizer import from_bytes

from crm_kit.errors import Text

Format = Literal["csv", "xlsx", "ndjson"]

_PIECE: Final = 1024 * 1024
_SAMPLE: Final = 64 * 1024
_SAMPLE_RECORDS: Final = 50
_DELIMITERS: Final = (",", "\t", ";", "|")

_PAIRS: Final = re.compile(rb"([\x81-\xfe])[\x40-\xfe]")
_NO_TABLES: Final = frozenset("idna mbcs oem palmos punycode raw_unicode_escape undefined unicode_escape utf_7".split())
"""Python's own encodings, and one that may spell half a character: nobody writes a table in them."""

_NEIGHBOURS: Final = re.compile(rb"[\x80-\xff]{2}")
_ENCODINGS: Final = ("gb18030", "big5", "shift_jis", "euc_kr", "cp1251", "cp1252")
"""What spreadsheets write by default where they do not write UTF-8. GB 18030 holds GB 2312 and GBK."""

_ZIP_MAGIC: Final = b"PK\x03\x04"
_OLD_EXCEL_MAGIC: Final = b"\xd0\xcf\x11\xe0"


class UnreadableTable(ValueError):
    """The file, or how it is said to be written, makes no table. `text` says why; `field`: what was said wrongly."""

    def __init__(self, text: Text, field: str = "file") -> None:
        super().__init__(text.en)
        self.text = text
        self.field = field


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is written. `encoding` is one of Python's; `delimiter` of CSV, `sheet` of XLSX, by default the first."""

    format: Format
    encoding: str = "utf-8"
    delimiter: str = ","
    sheet: str | None = None


def guess_layout(
    file: BinaryIO,
    *,
    format_: Format | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
) -> Layout:
    """What is not given is told by the file itself. Raises UnreadableTable. The file is read, and not rewound."""
    file.seek(0)
    head = file.read(_SAMPLE)
    if not head.strip():
        raise UnreadableTable(Text("The file is empty.", "文件为空。"))
    if head.startswith(_OLD_EXCEL_MAGIC):
        raise UnreadableTable(
            Text("Save the old .xls file as .xlsx or CSV.", "请将旧版 .xls 文件另存为 .xlsx 或 CSV。"), "format"
        )
    if format_ == "xlsx" or (format_ is None and head.startswith(_ZIP_MAGIC)):
        return Layout("xlsx", sheet=sheet)
    encoding = _known_encoding(encoding) if encoding else guess_encoding(file)
    sample = head.decode(encoding, errors="replace").lstrip("\ufeff")
    if format_ is None:
        format_ = "ndjson" if _is_object(sample) else "csv"
    if format_ == "ndjson":
        return Layout("ndjson", encoding)
    return Layout("csv", encoding, delimiter or guess_delimiter(sample))


def _known_encoding(name: str) -> str:
    """Raises UnreadableTable."""
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        codec = None
    if codec is None or not getattr(codec, "_is_text_encoding", True) or codec.name.replace("-", "_") in _NO_TABLES:
        raise UnreadableTable(Text(f"The encoding {name!r} is not known.", f"未知的编码 {name!r}。"), "encoding")
    return "gb18030" if codec.name in ("gb2312", "gbk") else codec.name


def guess_encoding(file: BinaryIO) -> str:
    """`utf-8` where the whole file is that; UTF-16 by its mark; else the likeliest of those that spreadsheets write."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    suspect = b""
    first = True
    while True:
        piece = file.read(_PIECE)
        if first and piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        first = False
        if not suspect:
            try:
                decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                suspect = _around(piece, error.start)
        if suspect or not piece:
            break
    if not suspect:
        return "utf-8"
    if _is_usual_chinese(suspect):
        return "gb18030"
    if not _NEIGHBOURS.search(suspect):  # single letters with accents among plain ones
        return "cp1252"
    found = from_bytes(suspect, cp_isolation=list(_ENCODINGS)).best()
    return _known_encoding(found.encoding) if found is not None else "gb18030"


def _around(piece: bytes, place: int) -> bytes:
    """Whole lines of a piece that hold what is not UTF-8."""
    start = piece.rfind(b"\n", 0, place) + 1
    return piece[start : start + _SAMPLE]


def _is_usual_chinese(sample: bytes) -> bool:
    """Whether nearly all of it is hanzi of GB 2312's first level (leads B0 to D7), some behind those of hangul in EUC-KR (C8).

    A statistical guess takes short tables of names for Korean.
    """
    leads = _PAIRS.findall(sample)
    usual = [lead for lead in leads if b"\xb0" <= lead <= b"\xd7"]
    return len(usual) > 0.9 * len(leads) and any(lead > b"\xc8" for lead in usual)


def _is_object(sample: str) -> bool:
    line = sample.lstrip().partition("\n")[0].strip()
    if not line.startswith("{"):
        return False
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return line.endswith("}") and ":" in line


def guess_delimiter(sample: str) -> str:
    """The one by which most records of the sample have the same number of cells, more than one; a comma where none has."""
    lines = sample.splitlines(keepends=True)
    if len(sample) >= _SAMPLE // 4 and len(lines) > 1:
        lines = lines[:-1]  # it may be cut off
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        try:
            records = list(islice(csv.reader(lines, delimiter=delimiter), _SAMPLE_RECORDS))
        except csv.Error:
            continue
        widths = Counter(len(record) for record in records if record)
        width, often = widths.most_common(1)[0] if widths else (1, 0)
        score = often / max(1, len(records)) if width > 1 else 0.0
        if score > best_score:
            best, best_score = delimiter, score
    return best
