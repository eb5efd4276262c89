"""Every statement on identity_provider, its audiences and sign_in_link beyond those that all resources have."""

from collections.abc import Collection
from typing import Any, Final

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from gateway.features.identity_providers.models import IdentityProviderRow, ProviderAudienceRow, SignInLinkRow

_provider, _audience, _link = columns(IdentityProviderRow), columns(ProviderAudienceRow), columns(SignInLinkRow)

_OF_ISSUER: Final = text(
    "select p.*, t.region from identity_provider_audience a"
    " join identity_provider p on p.tenant_id = a.tenant_id and p.id = a.provider_id and p.status = 'active'"
    " join tenant t on t.tenant_id = p.tenant_id and t.id = p.tenant_id"
    " where a.issuer = :issuer and a.audience = any(:audiences) order by a.taken_at, a.audience limit 1"
)
_PERSON: Final = text(
    "select l.user_id, l.claims_digest, l.claims_at, u.status from sign_in_link l"
    " join crm_user u on u.tenant_id = l.tenant_id and u.id = l.user_id"
    " where l.provider_id = :provider_id and l.subject = :subject"
)


async def of_issuer(session: ReadSession, issuer: str, audiences: Collection[str]) -> Any | None:
    """The active one, of any tenant, whose audience was taken first: for the system role, before the tenant is known.

    With its tenant's region. Whoever takes a further audience of an issuer that others use thus gets none of their people.
    """
    found = await session.execute(_OF_ISSUER, {"issuer": issuer, "audiences": list(audiences)})
    return found.one_or_none()


async def lock_providers(session: WriteSession) -> None:
    """Until the transaction ends nobody else writes the tenant's providers."""
    await lock_keys(session, "identity_provider", ["all"])


async def count(session: ReadSession) -> int:
    return int(await session.scalar(select(func.count()).select_from(IdentityProviderRow)))


async def free_audiences(session: WriteSession, provider_id: str, issuer: str, kept: Collection[str]) -> None:
    """All but those `kept` of this issuer, which stay taken since when they were."""
    others = or_(_audience.issuer != issuer, _audience.audience.not_in(kept))
    await session.execute(delete(ProviderAudienceRow).where(_audience.provider_id == provider_id, others))


async def audiences_taken(session: ReadSession, provider_id: str) -> set[str]:
    return set(await session.scalars(select(_audience.audience).where(_audience.provider_id == provider_id)))


async def take_audience(session: WriteSession, provider_id: str, issuer: str, audience: str) -> bool:
    """False where a provider has it, of whichever tenant: a unique index sees what row-level security hides."""
    row = {
        "tenant_id": session.tenant_id,
        "provider_id": provider_id,
        "audience": audience,
        "issuer": issuer,
        "taken_at": func.clock_timestamp(),
    }
    statement = insert(ProviderAudienceRow).values(row).on_conflict_do_nothing().returning(_audience.audience)
    return await session.scalar(statement) is not None


async def lock_subject(session: WriteSession, provider_id: str, subject: str) -> None:
    """Until the transaction ends nobody else links this person."""
    await lock_keys(session, "sign_in", [f"{provider_id}\0{subject}"])


async def person(session: ReadSession, provider_id: str, subject: str) -> Any | None:
    """The link of somebody whose user is still there, with the user's status."""
    return (await session.execute(_PERSON, {"provider_id": provider_id, "subject": subject})).one_or_none()


async def write_link(session: WriteSession, link: SignInLinkRow) -> None:
    values = {name: getattr(link, name) for name in _link.keys()}  # noqa: SIM118  # a collection of columns, not a mapping
    values["tenant_id"] = session.tenant_id
    kept = {name: values[name] for name in ("user_id", "claims_digest", "claims_at")}
    statement = insert(SignInLinkRow).values(values)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["tenant_id", "provider_id", "subject"], set_=kept)
    )


async def forget_links(session: WriteSession, provider_id: str) -> None:
    await session.execute(delete(SignInLinkRow).where(_link.provider_id == provider_id))


async def is_linked(session: ReadSession, provider_id: str, user_id: str) -> bool:
    """Whether the provider knows this user under some subject."""
    statement = select(_link.subject).where(_link.provider_id == provider_id, _link.user_id == user_id)
    return await session.scalar(statement.limit(1)) is not None
