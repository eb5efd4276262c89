"""Processes that answer at one port: forked from the first, which gives connections out to all; what one knows, all know (ADR 0055)."""

from crm_kit.siblings.siblings import Siblings

__all__ = ["Siblings"]
