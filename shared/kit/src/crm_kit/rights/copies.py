"""Follows users' teams, and the owners of the records that a service's own belong to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crm_contracts.envelope import Event
from crm_contracts.registry import USER, Topic

from crm_kit.db.rows import store_newer
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer, Projection, newest
from crm_kit.rights.shares import write_shares
from crm_kit.rights.tables import OWNER_SHARE, RECORD_OWNER, TEAM_MEMBER


def follow_owners(service: str, owned: Mapping[Topic, str | None]) -> Consumer:
    """The consumer of a service whose records belong to those of the topics `owned`.

    Each is given with the member that refers to what its records belong to themselves, if there is one.
    """
    above = {topic.entity: member for topic, member in owned.items()}

    async def follow(session: WriteSession, events: Sequence[Event]) -> None:
        latest = newest(events)
        await store_newer(
            session, TEAM_MEMBER, [_member(event) for event in latest if event.entity_type == USER.entity]
        )
        records = {event.subject: event for event in latest if event.entity_type in above}
        owners = [_owner(event, above[event.entity_type]) for event in records.values()]
        changed = await store_newer(session, RECORD_OWNER, owners)
        # A first version that was news has had no shares before.
        may_differ = {id_: _shares(records[id_]) for id_ in changed if records[id_].sequence > 1}
        fresh = {id_: _shares(records[id_]) for id_ in changed if records[id_].sequence == 1}
        await write_shares(session, OWNER_SHARE, may_differ)
        await write_shares(session, OWNER_SHARE, fresh, fresh=True)

    return Consumer(
        name=f"{service}.rights",
        topics=(USER, *owned),
        handle=follow,
        order="pass",
        gather_seconds=0.2,
        projection=Projection(tables=(TEAM_MEMBER.name, RECORD_OWNER.name, OWNER_SHARE.name), by_default=False),
    )


def _member(event: Event) -> dict[str, Any]:
    teams = _state(event).get("teams", [])
    return {"id": event.subject, "version": event.sequence, "team_ids": [each["team_id"] for each in teams]}


def _owner(event: Event, above: str | None) -> dict[str, Any]:
    state = _state(event)
    return {
        "id": event.subject,
        "version": event.sequence,
        "owner_id": state.get("owner_id"),
        "team_id": state.get("team_id"),
        "above_id": state.get(above) if above else None,
    }


def _shares(event: Event) -> Sequence[Mapping[str, Any]]:
    return [
        {**share, "until": datetime.fromisoformat(share["until"]) if share["until"] else None}
        for share in _state(event).get("shares") or ()
    ]


def _state(event: Event) -> Mapping[str, Any]:
    """Of what is gone nothing is kept but its version."""
    return {} if event.deleted or event.entity is None else event.entity
