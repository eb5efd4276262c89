"""Compares one customer with the services, and repairs what has drifted.

Lag is not drift. What differs at first sight is looked at again: the service's state, then, once the service has no
unpublished event of it and the consumer has passed the log's end of that moment, the copy, then the state again. Where
the two states are the same, nothing happened in between, and a copy that differs cannot be late.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson
from crm_contracts.facts import MAX_CONTACTS
from crm_contracts.ids import prefix_of
from crm_kit.bus import EventLog
from crm_kit.db.session import Database
from crm_kit.http.principal import Principal
from crm_kit.inbox.passing import ConsumerBehind, Passing
from crm_kit.states import said
from crm_kit.states.schemas import EntityState

from gateway.features.customers import repository
from gateway.features.customers.backlog import refresh_marked
from gateway.features.customers.consumers import VIEW
from gateway.features.customers.live import LiveComposer
from gateway.features.customers.projection import OF_THE_MAKING
from gateway.features.reconcile import copies
from gateway.features.reconcile.drift import Copy, DriftKind, Finding, drift_of, told
from gateway.features.reconcile.services import StateClient
from gateway.features.reconcile.views import drift_of_view, locked_drift, stored_view
from gateway.upstream import SERVICE_OF, SERVICES, Service, ServiceClient, UpstreamUnavailable

_SUSPECTS: Final = 500
"""Entities of one customer that are looked at again at a time; the others wait for another time."""

_LOOKS: Final = 3
_PAUSE_SECONDS: Final = 0.05


@dataclass(slots=True)
class Result:
    """What became of one customer. `unsettled`: differed, but was written to whenever it was looked at."""

    findings: list[Finding] = field(default_factory=list)
    unsettled: int = 0


@dataclass(slots=True)
class Allowance:
    """How many repairs may still be made. A flood of drift is no drift: somebody should look before it is repaired."""

    left: int

    def take(self, wanted: int) -> int:
        taken = min(wanted, self.left)
        self.left -= taken
        return taken


_Drifted = tuple[DriftKind, EntityState | None, Copy | None]


@dataclass(frozen=True, slots=True)
class _Look:
    """What is certain about some entities, and which are not."""

    drifted: Mapping[str, _Drifted]
    unsettled: Sequence[str]


class Reconciler:
    def __init__(
        self, database: Database, services: ServiceClient, live: LiveComposer, event_log: EventLog, *, seconds: float
    ) -> None:
        """`seconds`: how long the consumer may take to pass what was published."""
        self._database = database
        self._services = services
        self._live = live
        self._passing = Passing(VIEW, database, event_log, seconds)

    def states(self, principal: Principal) -> StateClient:
        return StateClient(self._services, principal)

    async def check(self, principal: Principal, customer_id: str, allowance: Allowance) -> Result:
        """Raises UpstreamUnavailable or ConsumerBehind where it cannot be judged."""
        result = Result()
        await self._check_entities(principal, customer_id, allowance, result)
        await self._check_view(principal, customer_id, allowance, result)
        if not result.unsettled and all(finding.repaired for finding in result.findings):
            await self._check_live(principal, customer_id, result)
        return result

    async def _check_entities(
        self, principal: Principal, customer_id: str, allowance: Allowance, result: Result
    ) -> None:
        owners = await self._owners(principal, customer_id)
        found = await asyncio.gather(*(self._suspects(principal, service, owners) for service in SERVICES))
        suspects = [one for of_service in found for one in of_service][:_SUSPECTS]
        if not suspects:
            return
        look = await self._look(principal, suspects)
        result.unsettled += len(look.unsettled)
        repairable = sorted(look.drifted)[: allowance.take(len(look.drifted))]
        unrepaired = await self._repaired(principal, {one: look.drifted[one] for one in repairable})
        for one, (kind, state, copy) in look.drifted.items():
            repaired = one not in unrepaired if one in repairable else None
            result.findings.append(
                Finding(str(principal.tenant_id), customer_id, one, kind, told(state, copy), repaired)
            )

    async def _owners(self, principal: Principal, customer_id: str) -> list[str]:
        """Whose entities a view of this customer shows: an account's are those of its contacts too."""
        if prefix_of(customer_id) != "account":
            return [customer_id]
        async with self._database.read(principal.tenant_id) as session:
            contacts = set(await repository.contact_ids_of(session, customer_id, MAX_CONTACTS))
        after, more, states = "", True, self.states(principal)
        while more and len(contacts) < 2 * MAX_CONTACTS:
            page = await states.owned("contacts", [customer_id], after)
            contacts |= {state.id for state in page.data if prefix_of(state.id) == "contact"}
            after, more = page.data[-1].id if page.data else "", page.more
        return [customer_id, *sorted(contacts)[: 2 * MAX_CONTACTS]]

    async def _suspects(self, principal: Principal, service: Service, owners: Sequence[str]) -> list[str]:
        """Ids that differ at first sight; page by page, so that a long history needs no memory."""
        states, suspects, after, more = self.states(principal), list[str](), "", True
        while more and len(suspects) < _SUSPECTS:
            page = await states.owned(service, owners, after)
            more = page.more
            upto = page.data[-1].id if more else None
            there = {state.id: state for state in page.data}
            async with self._database.read(principal.tenant_id) as session:
                mine = await copies.owned(session, service, owners, after, upto)
                here = await copies.by_ids(session, sorted({*there, *mine}))
            suspects += [one for one in sorted({*there, *here}) if drift_of(there.get(one), here.get(one))]
            after = upto or after
        return suspects

    async def _look(self, principal: Principal, ids: Sequence[str]) -> _Look:
        """What is certain about these entities. Raises UpstreamUnavailable or ConsumerBehind."""
        drifted: dict[str, _Drifted] = {}
        open_: Sequence[str] = ids
        for _ in range(_LOOKS):
            before, unpublished = await self._states(principal, open_)
            await self._passing.wait()
            async with self._database.read(principal.tenant_id) as session:
                here = await copies.by_ids(session, open_)
                parked = await copies.parked(session, open_)
            after, _new = await self._states(principal, open_)
            certain = [
                one
                for one in open_
                if one not in unpublished and one not in parked and before.get(one) == after.get(one)
            ]
            for one in certain:
                if kind := drift_of(after.get(one), here.get(one)):
                    drifted[one] = (kind, after.get(one), here.get(one))
            open_ = sorted({*open_} - {*certain} - parked)
            if not open_:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        return _Look(drifted, open_)

    async def _states(self, principal: Principal, ids: Sequence[str]) -> tuple[dict[str, EntityState], set[str]]:
        by_service: dict[Service, list[str]] = {}
        for one in ids:
            if service := SERVICE_OF.get(prefix_of(one) or ""):
                by_service.setdefault(service, []).append(one)
        client = self.states(principal)
        answers = await asyncio.gather(*(client.states(service, asked) for service, asked in by_service.items()))
        found: dict[str, EntityState] = {}
        unpublished: set[str] = set()
        for states, waiting in answers:
            found |= states
            unpublished |= waiting
        return found, unpublished

    async def _repaired(self, principal: Principal, drifted: Mapping[str, _Drifted]) -> set[str]:
        """Repairs these, and says of which that is not certain to have helped."""
        if not drifted:
            return set()
        try:
            await self._repair(principal, drifted)
            again = await self._look(principal, sorted(drifted))
        except (UpstreamUnavailable, ConsumerBehind):
            return set(drifted)
        # What was written to meanwhile is no longer what drifted: its newer event makes the copy.
        return set(again.drifted)

    async def _repair(self, principal: Principal, drifted: Mapping[str, _Drifted]) -> None:
        """First the copy is made to accept the state, then its service publishes it: in between it is only behind."""
        restated: dict[Service, list[str]] = {}
        stubborn: dict[str, Copy] = {}
        for one, (_, state, copy) in drifted.items():
            if state is None:
                assert copy is not None, "a ghost has a copy"
                async with self._database.write(principal.tenant_id) as session:
                    await copies.remove(session, copy)
                continue
            restated.setdefault(SERVICE_OF[prefix_of(one) or ""], []).append(one)
            if copy is not None and (copy.version, copy.deleted) >= (state.version, False):
                stubborn[one] = copy
        if stubborn:
            versions = {one: state.version for one in stubborn if (state := drifted[one][1])}
            async with self._database.write(principal.tenant_id) as session:
                await copies.lower(session, stubborn, versions)
        for service, ids in restated.items():
            await self.states(principal).restate(service, ids)

    async def _check_view(self, principal: Principal, customer_id: str, allowance: Allowance, result: Result) -> None:
        async with self._database.read(principal.tenant_id) as session:
            if await drift_of_view(session, customer_id) is None:
                return
        # At first sight it may have been composed anew between two statements.
        repair = allowance.take(1) == 1
        async with self._database.write(principal.tenant_id) as session:
            kind = await locked_drift(session, customer_id, repair=repair)
            mended = repair and kind is not None and await drift_of_view(session, customer_id) is None
        if kind is None:
            allowance.left += repair
            return
        found = Finding(str(principal.tenant_id), customer_id, customer_id, kind)
        result.findings.append(replace(found, repaired=mended) if repair else found)

    async def _check_live(self, principal: Principal, customer_id: str, result: Result) -> None:
        """The whole way once more: the view against what the services tell at once."""
        if not await self._differs_live(principal, customer_id):
            return
        for _ in range(_LOOKS):
            await self._passing.wait()
            before = await self._all_states(principal, customer_id)
            if before is None:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            await self._passing.wait()
            members = await self._differs_live(principal, customer_id)
            if not members:
                return
            if await self._all_states(principal, customer_id) == before:
                named = f"differs live: {', '.join(members)}"
                finding = Finding(str(principal.tenant_id), customer_id, customer_id, "unexplained", named)
                result.findings.append(finding)
                return
        result.unsettled += 1

    async def _differs_live(self, principal: Principal, customer_id: str) -> list[str]:
        """The members of the view that differ. Raises UpstreamUnavailable."""
        async with self._database.write(principal.tenant_id) as session:
            await refresh_marked(session, customer_id)  # to be stale is no difference
            doc = await stored_view(session, customer_id)
        view: dict[str, Any] = orjson.loads(doc) if doc is not None else {}
        live = await self._live.compose(principal, customer_id, 0) or {}
        if live.get("degraded"):
            raise UpstreamUnavailable(", ".join(live["degraded"]))
        members = {*view, *live}.difference(OF_THE_MAKING, ("degraded",))
        # Not byte for byte: what is older than a release lacks the members that came with it, which are null there.
        return sorted(name for name in members if said(view.get(name)) != said(live.get(name)))

    async def _all_states(self, principal: Principal, customer_id: str) -> Mapping[str, EntityState] | None:
        """Of every entity of the customer; None while some have unpublished events."""
        owners = await self._owners(principal, customer_id)
        client, ids = self.states(principal), set(owners)
        for service in SERVICES:
            after, more = "", True
            while more:
                page = await client.owned(service, owners, after)
                ids |= {state.id for state in page.data}
                after, more = page.data[-1].id if page.data else "", page.more
            async with self._database.read(principal.tenant_id) as session:
                ids |= set(await copies.owned(session, service, owners, "", None))
        found, unpublished = await self._states(principal, sorted(ids))
        return None if unpublished else found
