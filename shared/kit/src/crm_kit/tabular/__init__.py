"""Tables as files: CSV, XLSX and NDJSON, read and written row by row, whatever their size."""

from crm_kit.tabular.formats import Format, Layout, UnreadableTable, guess_layout
from crm_kit.tabular.reading import Row, TableReader

__all__ = ["Format", "Layout", "Row", "TableReader", "UnreadableTable", "guess_layout"]
