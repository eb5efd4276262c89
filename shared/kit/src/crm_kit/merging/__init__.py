"""Records that were merged into another: what refers to them goes to the one that is left, and comes back when that is undone."""

from crm_kit.merging.current import current, current_all, current_of, merged_into, with_current
from crm_kit.merging.following import MergedReferences, follow_merges
from crm_kit.merging.repository import Moved, Reference
from crm_kit.merging.tables import MERGED_RECORD, MERGING_TABLES, MOVED_REFERENCE

__all__ = [
    "MERGED_RECORD",
    "MERGING_TABLES",
    "MOVED_REFERENCE",
    "MergedReferences",
    "Moved",
    "Reference",
    "current",
    "current_all",
    "current_of",
    "follow_merges",
    "merged_into",
    "with_current",
]
