"""What can be done with an identity provider."""

from collections.abc import Collection, Sequence
from typing import Final

from crm_contracts.ids import IdentityProviderId
from crm_contracts.sign_in import IdentityProvider
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal

from gateway.features.identity_providers import repository
from gateway.features.identity_providers.errors import AudienceTaken, SignInScopeNotHeld, TooManyProviders
from gateway.features.identity_providers.events import IDENTITY_PROVIDER_EVENTS
from gateway.features.identity_providers.models import IdentityProviderRow
from gateway.features.identity_providers.schemas import IdentityProviderWrite
from gateway.features.roles.assignment import NO_SUCH_ROLE, unknown_roles
from gateway.features.teams import repository as teams

_MOST: Final = 50
_GIVEN: Final = ("read", "write", "admin")
_PLAIN: Final = ("name", "status", "issuer", "leeway_seconds", "provision", "trust_email")
_LISTS: Final = ("audiences", "algorithms", "token_types", "default_roles", "domains")


async def register_provider(session: WriteSession, data: IdentityProviderWrite, caller: Principal) -> IdentityProvider:
    """Raises AudienceTaken, SignInScopeNotHeld, TooManyProviders, ValidationFailed."""
    _check_held(caller)
    await repository.lock_providers(session)
    if await repository.count(session) >= _MOST:
        raise TooManyProviders(Text(f"A tenant has {_MOST} at most.", f"每个租户最多 {_MOST} 个。"))
    row = IdentityProviderRow(
        id=IdentityProviderId.new(),
        name=data.name,
        issuer=data.issuer,
        leeway_seconds=data.leeway_seconds,
        provision=data.provision,
        trust_email=data.trust_email,
    )
    _write(row, data)
    await _check_teams(session, [mapping.team_id for mapping in data.teams])
    await _check_roles(session, data)
    provider = await IDENTITY_PROVIDER_EVENTS.created(session, row)
    await _take_audiences(session, row)
    return provider


async def change_provider(
    session: WriteSession, row: IdentityProviderRow, data: IdentityProviderWrite, caller: Principal
) -> None:
    """Where the issuer changes, or how it names people, nobody is any more whom they were linked to."""
    _check_held(caller)
    before = IDENTITY_PROVIDER_EVENTS.snapshot(row)
    await repository.lock_providers(session)
    _write(row, data)
    known = {mapping.team_id for mapping in before.teams}
    await _check_teams(session, [mapping.team_id for mapping in data.teams], known)
    await _check_roles(session, data)
    if (row.issuer, row.claims["subject"]) != (before.issuer, before.claims.subject):
        await repository.forget_links(session, row.id)
    if (row.issuer, row.audiences) != (before.issuer, before.audiences):
        await _take_audiences(session, row)
    await IDENTITY_PROVIDER_EVENTS.updated(session, row, before)


async def remove_provider(session: WriteSession, row: IdentityProviderRow, caller: Principal) -> None:
    """Its people stay users; its tokens are refused from then on."""
    _check_held(caller)
    await repository.free_audiences(session, row.id, row.issuer, ())
    await repository.forget_links(session, row.id)
    await IDENTITY_PROVIDER_EVENTS.deleted(session, row)


def _write(row: IdentityProviderRow, data: IdentityProviderWrite) -> None:
    for field in _PLAIN:
        setattr(row, field, getattr(data, field))
    for field in _LISTS:
        setattr(row, field, list(dict.fromkeys(getattr(data, field))))
    row.required_claims = dict(data.required_claims)
    row.claims = data.claims.model_dump(mode="json")
    row.teams = [mapping.model_dump(mode="json") for mapping in data.teams]
    row.roles = [mapping.model_dump(mode="json") for mapping in data.roles]


async def _take_audiences(session: WriteSession, row: IdentityProviderRow) -> None:
    await repository.free_audiences(session, row.id, row.issuer, row.audiences)
    taken = await repository.audiences_taken(session, row.id)
    for audience in sorted(
        set(row.audiences) - taken
    ):  # in one order, so that two who want the same do not wait for one another
        if not await repository.take_audience(session, row.id, row.issuer, audience):
            raise AudienceTaken(members={"audience": audience})


async def _check_teams(session: WriteSession, wanted: Sequence[str], known: Collection[str] = ()) -> None:
    """Those that are newly named exist."""
    added = [team_id for team_id in wanted if team_id not in known]
    existing = await teams.existing(session, added) if added else set()
    text = Text("There is no such team", "不存在该团队")
    faults = [
        FieldError(f"/teams/{place}/team_id", "not_found", text)
        for place, team_id in enumerate(wanted)
        if team_id not in existing and team_id not in known
    ]
    if faults:
        raise ValidationFailed(Text("Some teams are not valid; see errors.", "团队无效，见 errors。"), errors=faults)


async def _check_roles(session: WriteSession, data: IdentityProviderWrite) -> None:
    named = [(f"/roles/{place}/role", mapping.role) for place, mapping in enumerate(data.roles)]
    named += [(f"/default_roles/{place}", role) for place, role in enumerate(data.default_roles)]
    unknown = await unknown_roles(session, [role for _, role in named])
    faults = [FieldError(place, "not_found", NO_SUCH_ROLE) for place, role in named if role in unknown]
    if faults:
        raise ValidationFailed(Text("Some roles are not valid; see errors.", "角色无效，见 errors。"), errors=faults)


def _check_held(caller: Principal) -> None:
    lacking = [scope for scope in _GIVEN if not caller.may(scope)]
    if lacking:
        raise SignInScopeNotHeld(
            Text(f"Your key lacks {', '.join(lacking)}.", f"当前密钥缺少权限：{', '.join(lacking)}。"),
            members={"missing_permission": lacking[0]},
        )
