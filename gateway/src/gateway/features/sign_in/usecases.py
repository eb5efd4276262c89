"""Who somebody is whom an identity provider vouches for."""

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import structlog
from crm_contracts.sign_in import IdentityProvider
from crm_kit import context
from crm_kit.db.session import Database, ReadSession, WriteSession
from crm_kit.errors import Problem
from crm_kit.http.principal import Principal
from pydantic import JsonValue

from gateway.access.tokens import Expected, TokenRefused
from gateway.features.identity_providers import repository
from gateway.features.identity_providers.models import SignInLinkRow
from gateway.features.identity_providers.rules import Claimed, read_claims
from gateway.features.roles.assignment import unknown_roles
from gateway.features.teams import repository as teams
from gateway.features.users import repository as users
from gateway.features.users.events import snapshot
from gateway.features.users.models import UserRow
from gateway.features.users.resource import USERS
from gateway.features.users.rights import principal_of_user
from gateway.features.users.usecases import create_user, update_user

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TenantProvider:
    """A provider with whose it is."""

    entity: IdentityProvider
    tenant_id: str
    region: str
    expected: Expected

    @property
    def id(self) -> str:
        return self.entity.id


async def find_provider(session: ReadSession, issuer: str, audiences: Collection[str]) -> TenantProvider | None:
    """Of whichever tenant: for the system role."""
    row = await repository.of_issuer(session, issuer, audiences)
    if row is None:
        return None
    entity = IdentityProvider.model_validate(row)
    expected = Expected(
        issuer=entity.issuer,
        audiences=frozenset(entity.audiences),
        algorithms=frozenset(entity.algorithms),
        token_types=frozenset(entity.token_types),
        leeway_seconds=entity.leeway_seconds,
        required_claims=entity.required_claims,
    )
    return TenantProvider(entity, row.tenant_id, row.region, expected)


async def sign_in(database: Database, provider: TenantProvider, claims: Mapping[str, Any]) -> Principal:
    """The principal of a verified token; what it says of teams and roles has been taken over. Raises TokenRefused."""
    claimed = read_claims(provider.entity, claims)
    async with database.read(provider.tenant_id) as session:
        known = await repository.person(session, provider.id, claimed.subject)
    if known is None or _is_news(known, claimed):
        with _acting(provider):
            async with database.write(provider.tenant_id) as session:
                await _take_over(session, provider, claimed)
    async with database.read(provider.tenant_id) as session:
        known = await repository.person(session, provider.id, claimed.subject)
        principal = await principal_of_user(session, known.user_id, provider.region) if known is not None else None
    if principal is None:
        raise TokenRefused("user_disabled")
    return principal


def _is_news(known: Any, claimed: Claimed) -> bool:
    """A token that is older than the one applied last says nothing new, whatever it says."""
    return bool(known.claims_digest != claimed.digest and claimed.issued_at >= known.claims_at)


def _acting(provider: TenantProvider) -> AbstractContextManager[Any]:
    """The provider is who acts, in the events that tell of it."""
    here = context.current()
    if here is None:
        return nullcontext()
    return context.use(here._replace(tenant_id=provider.tenant_id, actor_id=provider.id))


async def _take_over(session: WriteSession, provider: TenantProvider, claimed: Claimed) -> None:
    await repository.lock_subject(session, provider.id, claimed.subject)
    known = await repository.person(session, provider.id, claimed.subject)
    if known is not None and not _is_news(known, claimed):
        return
    try:
        if known is not None:
            user_id = str(known.user_id)
        else:
            user_id = await _linked_by_email(session, provider, claimed) or await _provisioned(
                session, provider, claimed
            )
        await _keep_in_step(session, provider, claimed, user_id)
    except Problem as problem:  # of the use cases of users: their address is taken, or is none
        raise TokenRefused(problem.code) from problem
    await repository.write_link(
        session,
        SignInLinkRow(
            provider_id=provider.id,
            subject=claimed.subject,
            user_id=user_id,
            claims_digest=claimed.digest,
            claims_at=claimed.issued_at,
        ),
    )


async def _linked_by_email(session: WriteSession, provider: TenantProvider, claimed: Claimed) -> str | None:
    """The user who has the address, where the provider may say so, and has not said of somebody else that they are."""
    if not (provider.entity.trust_email and claimed.email_verified and claimed.email):
        return None
    email_key = claimed.email.strip().casefold()
    found = await users.with_email(session, email_key)
    # The row first, the identities after it: as those who change a user do, so that none waits for the other.
    if found is None or (await USERS.lock(session, found)).email_key != email_key:
        return None
    if await repository.is_linked(session, provider.id, found):
        raise TokenRefused("email_of_another_subject")
    return found


async def _provisioned(session: WriteSession, provider: TenantProvider, claimed: Claimed) -> str:
    if not provider.entity.provision:
        raise TokenRefused("not_provisioned")
    if claimed.email is None:
        raise TokenRefused("no_email")
    gone = await unknown_roles(session, provider.entity.default_roles)
    roles: list[JsonValue] = [role for role in provider.entity.default_roles if role not in gone]
    data = USERS.validated({"name": claimed.name or claimed.email[:200], "email": claimed.email, "roles": roles})
    user = await create_user(session, data, _caller(provider))
    log.info("user_provisioned", user_id=user.id, provider=provider.id)
    return user.id


async def _keep_in_step(session: WriteSession, provider: TenantProvider, claimed: Claimed, user_id: str) -> None:
    """The teams and roles that the provider's mapping names are as the claims say; all others stay as somebody wrote them."""
    if claimed.teams is None and not provider.entity.roles:
        return
    row = await USERS.lock(session, user_id)
    patch = {**await _teams(session, provider, claimed, row), **await _roles(session, provider, claimed, row)}
    await update_user(session, row, USERS.patched(snapshot(row), patch), _caller(provider))


async def _teams(
    session: WriteSession, provider: TenantProvider, claimed: Claimed, row: UserRow
) -> dict[str, JsonValue]:
    if claimed.teams is None:
        return {}
    mapped = {mapping.team_id for mapping in provider.entity.teams}
    existing = await teams.existing(session, list(claimed.teams))
    kept: list[JsonValue] = [membership for membership in row.teams if membership["team_id"] not in mapped]
    given: list[JsonValue] = [{"team_id": team_id, "manager": claimed.teams[team_id]} for team_id in sorted(existing)]
    return {"teams": [*kept, *given]}


async def _roles(
    session: WriteSession, provider: TenantProvider, claimed: Claimed, row: UserRow
) -> dict[str, JsonValue]:
    """A role that was deleted since it was mapped gives nothing."""
    mapped = {mapping.role for mapping in provider.entity.roles}
    gone = await unknown_roles(session, claimed.roles)
    kept: list[JsonValue] = [role for role in row.roles if role not in mapped]
    return {"roles": [*kept, *(role for role in claimed.roles if role not in gone)]} if mapped else {}


def _caller(provider: TenantProvider) -> Principal:
    return Principal(provider.id, provider.tenant_id, provider.region, frozenset({"read", "write", "admin"}))
