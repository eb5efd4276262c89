"""What protects contacts, looked up for many at once."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from crm_kit.db.session import ReadSession
from crm_kit.db.sql import Sql

# Up to the contact that each is merged into by now, and down to all that are merged into that: a hold is on a person, by whichever
# of their records it was placed.
_PROTECTIONS: Final = Sql(
    "with recursive climbed(first, id) as ("
    ' select given.id, given.id from unnest(cast(:ids as text[]) collate "C") as given(id)'
    " union all select k.first, m.into_id from climbed k join merged_contact m on m.id = k.id"
    "), gathered(first, top, id) as ("
    " select k.first, k.id, k.id from climbed k where not exists (select from merged_contact m where m.id = k.id)"
    " union select g.first, g.top, m.id from gathered g join merged_contact m on m.into_id = g.id"
    ") select g.first as id, coalesce(bool_or(c.restricted), false) as restricted,"
    " coalesce(array_agg(distinct h.id) filter (where h.id is not null), '{}') as hold_ids"
    " from gathered g left join contact c on c.id = g.top"
    " left join legal_hold h on h.contact_id = g.id and h.released_at is null"
    " and (h.until is null or h.until > clock_timestamp())"
    " group by g.first having bool_or(c.restricted) or count(h.id) > 0"
)


class Protection(NamedTuple):
    """Why a contact is to be left alone: its processing is restricted, or legal holds stand on it."""

    restricted: bool
    hold_ids: Sequence[str]


NO_PROTECTION: Final = Protection(False, ())


async def protections(session: ReadSession, contact_ids: Collection[str]) -> Mapping[str, Protection]:
    """Of those of the contacts that something protects. To rely on it, the contacts must be locked."""
    if not contact_ids:
        return {}
    rows = await session.fetch(_PROTECTIONS, {"ids": sorted(set(contact_ids))})
    return {row["id"]: Protection(row["restricted"], sorted(row["hold_ids"])) for row in rows}
