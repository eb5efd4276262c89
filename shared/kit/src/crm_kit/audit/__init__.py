"""Who did what to what: an entry with every change, in its transaction; sealed into a chain of hashes seconds later.

    audit_unsealed   entries as they are written: one insert beside the event's, nobody waits for anybody
    audit_entry      entries in the chain of their tenant; nobody may change or delete one
    audit_head       each chain's end, and its beginning once entries have been removed after their time

`EntityEvents` writes an entry with every change. What is no change of an entity is told by `record` (within a
transaction) and `note_access` (a read of sensitive fields, an export). Why so: docs/adr/0019-audit-log.md.
"""

from crm_kit.audit.access import note_access
from crm_kit.audit.entries import Entry, entry
from crm_kit.audit.erasure import erase_payloads
from crm_kit.audit.tables import AUDIT_ENTRY, AUDIT_HEAD, AUDIT_UNSEALED
from crm_kit.audit.writing import record

__all__ = [
    "AUDIT_ENTRY",
    "AUDIT_HEAD",
    "AUDIT_UNSEALED",
    "Entry",
    "entry",
    "erase_payloads",
    "note_access",
    "record",
]
