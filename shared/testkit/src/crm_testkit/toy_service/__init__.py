"""The toy service: one entity, `note`, with every kind of member. The kit is tested by it, without any CRM noun."""

from crm_testkit.toy_service.contracts import NOTE, Note, NoteId
from crm_testkit.toy_service.manifest import MANIFEST, toy_manifest

__all__ = ["MANIFEST", "NOTE", "Note", "NoteId", "toy_manifest"]
