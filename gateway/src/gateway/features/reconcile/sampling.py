"""Which customers are compared: some that the gateway knows and some that contacts-svc knows, or all of both."""

import random
from collections.abc import AsyncIterator
from typing import Final

from crm_kit.db.session import Database
from crm_kit.http.principal import Principal
from sqlalchemy import text

from gateway.features.reconcile.services import StateClient

_KINDS: Final = ("account", "contact")
_PAGE: Final = 500

# Of views and of copies: either may be missing.
_KNOWN = """
    select id from customer_view union select id from entity where type in ('account', 'contact') and not deleted
"""
_SOME = text(f"select id from ({_KNOWN}) as known order by random() limit :limit")  # noqa: S608  # a constant
_NEXT = text(
    f"""
    select id from ({_KNOWN}) as known
     where id like :kind || '\\_%' and id > :after and (cast(:upto as text) is null or id <= :upto) order by id limit :limit
    """  # noqa: S608  # a constant
)


async def sample(database: Database, states: StateClient, principal: Principal, size: int) -> list[str]:
    """At most `size` customers of the tenant, half of them from either side. Raises UpstreamUnavailable."""
    async with database.read(principal.tenant_id) as session:
        known = list(await session.scalars(_SOME, {"limit": size}))
    there = [one for kind in _KINDS for one in await states.ids("contacts", kind, size, random=True)]
    random.shuffle(there)
    half = known[: (size + 1) // 2]
    chosen = list(dict.fromkeys([*half, *there[: size // 2]]))
    spare = [one for one in [*known, *there] if one not in chosen]
    return [*chosen, *dict.fromkeys(spare)][:size]


async def everybody(database: Database, states: StateClient, principal: Principal) -> AsyncIterator[str]:
    """Every customer that either side knows, by id, page by page. Raises UpstreamUnavailable."""
    for kind in _KINDS:
        after, more = "", True
        while more:
            there = await states.ids("contacts", kind, _PAGE, after=after)
            async with database.read(principal.tenant_id) as session:
                upto = there[-1] if len(there) == _PAGE else None
                values = {"kind": kind, "after": after, "upto": upto, "limit": _PAGE}
                known = list(await session.scalars(_NEXT, values))
            page = sorted({*there, *known})
            if len(known) == _PAGE:  # there may be more of them before `upto`
                page = [one for one in page if one <= known[-1]]
            for one in page:
                yield one
            more = bool(page) and (upto is not None or len(known) == _PAGE)
            after = page[-1] if page else after
