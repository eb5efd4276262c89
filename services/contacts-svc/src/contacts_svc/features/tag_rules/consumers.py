"""Follows orders, deals and tickets: what they come to, and which tags that gives and takes."""

from collections.abc import Sequence

from crm_contracts.envelope import Event
from crm_contracts.registry import DEAL, ORDER, TICKET
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer, Projection
from crm_kit.inbox.projection import LIVE_SCHEMA

from contacts_svc.features.facts.repository import is_live
from contacts_svc.features.facts.usecases import keep_facts
from contacts_svc.features.tag_rules.usecases import reconsider


async def load(session: WriteSession, events: Sequence[Event]) -> None:
    """Into new tables: what stands in them is nothing that contacts are judged by yet."""
    await keep_facts(session, events)


async def follow_facts(session: WriteSession, events: Sequence[Event]) -> None:
    """Contacts are tagged anew in the same transaction, unless this fills new tables beside the live ones."""
    changed = await keep_facts(session, events)
    if changed and await is_live(session, LIVE_SCHEMA):
        await reconsider(session, changed)


FACTS = Consumer(
    name="contacts.facts",
    topics=(ORDER, DEAL, TICKET),
    handle=follow_facts,
    order="pass",
    gather_seconds=0.05,
    projection=Projection(tables=("fact_copy", "contact_facts"), load=load),
)
