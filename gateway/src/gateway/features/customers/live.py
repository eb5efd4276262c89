"""A view composed from the services at once, in parallel and within a deadline.

A service that does not answer in time leaves its part at what the gateway last heard of it, and is named.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson
import structlog
from crm_contracts.facts import CampaignsFacts, ContactsFacts, PipelineFacts, TicketsFacts
from crm_contracts.ids import prefix_of
from crm_contracts.types import Contract, format_timestamp
from crm_kit.db.models import utc_now
from crm_kit.db.session import Database
from crm_kit.http.principal import Principal
from pydantic import ValidationError

from gateway.features.customers import facts as stored_facts
from gateway.features.customers.compose import Content, Facts, compose
from gateway.features.customers.entities import Json
from gateway.features.customers.facts import Stored
from gateway.features.customers.projection import finish
from gateway.upstream import SERVICES, Service, ServiceClient, UpstreamUnavailable

_FACTS: Final[Mapping[Service, type[Contract]]] = {
    "contacts": ContactsFacts,
    "pipeline": PipelineFacts,
    "tickets": TicketsFacts,
    "campaigns": CampaignsFacts,
}
_PATH: Final = "/internal/facts"
_READING: Final = frozenset({"read"})
_FIRST_STEP: Final = 0.6
"""Of the deadline: an account's contacts must be known before the other services can be asked."""

log = structlog.get_logger(__name__)


class _Unknown(Exception):
    """contacts-svc knows no such customer."""


class LiveComposer:
    """Composes views of one tenant's customers from the services."""

    def __init__(self, database: Database, services: ServiceClient, seconds: float) -> None:
        self._database = database
        self._services = services
        self._seconds = seconds

    async def compose(self, principal: Principal, customer_id: str, version: int) -> Content | None:
        """The whole document, `version` being that of the materialised view; None where there is no such customer.

        Raises UpstreamUnavailable where contacts-svc is down and the gateway has never heard of the customer.
        """
        # The whole of it, whatever the caller may read: what leaves the gateway is redacted there, like a stored view.
        principal = replace(principal, scopes=_READING, rights=None)
        try:
            answers, contact_ids = await self._ask(principal, customer_id)
        except _Unknown:
            return None
        now = utc_now()
        degraded = [service for service in SERVICES if service not in answers]
        stored: Stored | None = None
        if degraded:
            stored = await self._stored(principal, customer_id, contact_ids, degraded)
            if "contacts" in degraded and not stored.known:
                raise UpstreamUnavailable("contacts")
            log.warning("live_view_degraded", services=degraded)
        facts = Facts(
            **{service: _facts(service, answers, stored) for service in SERVICES},
            entries=stored.facts.entries if stored else (),
        )
        document = finish(compose(facts), version=version, as_of=now, sources=_sources(degraded, stored, now))
        return {**document, "degraded": degraded} if degraded else document

    async def _ask(self, principal: Principal, customer_id: str) -> tuple[dict[Service, Json], list[str] | None]:
        """What the services answered in time, and the contacts that were asked about."""
        end = asyncio.get_running_loop().time() + self._seconds
        customer: dict[str, object] = {"id": customer_id}
        if prefix_of(customer_id) == "contact":
            scope: dict[str, object] = {"contact_ids": [customer_id]}
            asked = {service: customer if service == "contacts" else scope for service in SERVICES}
            return await self._gather(principal, asked, end), None
        answers = await self._gather(principal, {"contacts": customer}, end - self._seconds * (1 - _FIRST_STEP))
        contact_ids: list[str] | None = None
        if "contacts" in answers:
            contact_ids = [contact["id"] for contact in answers["contacts"]["contacts"]]
        else:
            contact_ids = list((await self._stored(principal, customer_id, None, [])).contact_ids)
        scope = {"account_id": customer_id, "contact_ids": contact_ids}
        rest = await self._gather(principal, {service: scope for service in SERVICES if service != "contacts"}, end)
        return answers | rest, contact_ids

    async def _gather(
        self, principal: Principal, asked: Mapping[Service, Mapping[str, object]], end: float
    ) -> dict[Service, Json]:
        remaining = max(0.0, end - asyncio.get_running_loop().time())
        calls = [self._one(principal, service, body, remaining) for service, body in asked.items()]
        answers = await asyncio.gather(*calls)
        return {service: answer for service, answer in zip(asked, answers, strict=True) if answer is not None}

    async def _one(
        self, principal: Principal, service: Service, body: Mapping[str, object], seconds: float
    ) -> Json | None:
        """The service's facts; None where it gave none in time."""
        try:
            response = await self._services.post(principal, service, _PATH, orjson.dumps(body), timeout=seconds)
        except UpstreamUnavailable:
            return None
        if response.status_code == 404 and service == "contacts":
            raise _Unknown
        if response.status_code != 200:
            log.warning("facts_refused", service=service, status=response.status_code)
            return None
        try:
            _FACTS[service].model_validate_json(response.content)
        except ValidationError as error:
            log.warning("facts_malformed", service=service, errors=error.error_count())
            return None
        # As it was sent: members that this release does not know are shown like those of the events.
        answer: Json = orjson.loads(response.content)
        return answer

    async def _stored(
        self, principal: Principal, customer_id: str, contact_ids: list[str] | None, sources: list[Service]
    ) -> Stored:
        async with self._database.read(principal.tenant_id) as session:
            [stored] = await stored_facts.load(session, [customer_id], contact_ids=contact_ids, sources=sources)
        return stored


def _facts(service: Service, answers: Mapping[Service, Json], stored: Stored | None) -> Json:
    if service in answers:
        return answers[service]
    assert stored is not None, "loaded where a service is missing"
    known: Json = getattr(stored.facts, service)
    return known


def _sources(degraded: list[Service], stored: Stored | None, now: datetime) -> dict[str, Any]:
    sources: dict[str, Any] = {}
    for service in SERVICES:
        time = now if service not in degraded else stored.as_of.get(service) if stored else None
        lag = round((now - time).total_seconds() * 1000) if time else None
        sources[service] = {"as_of": format_timestamp(time) if time else None, "lag_ms": lag}
    return sources
