"""Rebuilding a projection out of the log beside the live one, and switching to it without a gap (ADR 0012)."""

from crm_kit.rebuild.compare import Difference
from crm_kit.rebuild.errors import RebuildFailed
from crm_kit.rebuild.progress import Progress
from crm_kit.rebuild.rebuild import Rebuild, open_rebuild

__all__ = ["Difference", "Progress", "Rebuild", "RebuildFailed", "open_rebuild"]
