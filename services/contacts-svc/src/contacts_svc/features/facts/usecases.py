"""How the copies follow their owners' events."""

from collections.abc import Sequence

from crm_contracts.envelope import Event
from crm_kit.db.session import WriteSession
from crm_kit.inbox import newest

from contacts_svc.features.facts import repository
from contacts_svc.features.facts.rules import copy_of


async def keep_facts(session: WriteSession, events: Sequence[Event]) -> set[str]:
    """The contacts of which the events say something new. References follow merges by the events of their owners."""
    copies = [copy_of(event) for event in newest(events)]
    told = (copy["contact_id"] for copy in copies if copy.get("contact_id") is not None)
    concerned = await repository.lock_contacts_of(session, [copy["id"] for copy in copies], told)
    if not await repository.store(session, copies) or not concerned:
        return set()
    return await repository.add_up(session, concerned)
