"""Every statement about the past of fields: it is in the audit log, and nowhere else."""

from crm_contracts.registry import CONTACT
from crm_kit.audit import erase_payloads
from crm_kit.db.session import WriteSession


async def forget(session: WriteSession, contact_id: str) -> int:
    """All that the fields of a contact have been, for ever; how many entries said something of it. That there were changes stays."""
    return await erase_payloads(session, CONTACT.entity, [contact_id])
