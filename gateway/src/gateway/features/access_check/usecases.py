"""Answers what somebody may do, by what the services would answer them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, cast

import orjson
from crm_contracts.ids import prefix_of
from crm_contracts.sensitivity import Classified
from crm_contracts.tenancy import Role
from crm_kit.custom_fields import copied_custom_fields
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal, scope_of
from crm_kit.http.route import require
from crm_kit.resources.schemas import Inspection
from crm_kit.rights import EVERYTHING, NOTHING, Level, RecordRights
from crm_kit.rights.grants import UNCONDITIONED, WRITING
from sqlalchemy import select

from gateway.features.access_check.rules import access_to, class_of, reasons
from gateway.features.access_check.schemas import Check, CheckResult
from gateway.features.api_keys.models import ApiKeyRow
from gateway.features.api_keys.rights import principal_of_key
from gateway.features.roles.assignment import roles_held
from gateway.features.roles.schemas import ReadyRole
from gateway.features.users import repository as users
from gateway.features.users.rights import principal_of_user
from gateway.upstream import SERVICE_OF, Service, ServiceClient, UpstreamUnavailable

_key = columns(ApiKeyRow)
_UNKNOWN: Final = Text("There is none that could sign in", "不存在或已停用")
_NO_MEMBER: Final = Text("This is no member of the resource", "该资源没有此字段")


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a question is about."""

    principal: Principal
    roles: Sequence[ReadyRole | Role]


class Checker:
    """In the name of one caller: about others who administers access alone may ask."""

    def __init__(self, session: ReadSession, caller: Principal, client: ServiceClient, *, seconds: float) -> None:
        self._session = session
        self._caller = caller
        self._client = client
        self._seconds = seconds
        self._subjects: dict[tuple[str | None, str | None], Subject] = {}

    async def answer(self, check: Check, pointer: str) -> CheckResult:
        """Raises Forbidden, ValidationFailed, UpstreamUnavailable."""
        subject = await self._subject(check, pointer)
        resource = _resource(check)
        member = await self._class_of(resource, check.member) if check.member is not None else None
        if check.member is not None and member is None:
            raise _invalid(f"{pointer}/member", "unknown_member", _NO_MEMBER)
        lies = await self._inspect(subject.principal, resource, check) if check.id is not None else None
        reach = _reach(subject.principal, resource, check, lies)
        if not reach.seen.is_seen and not self._caller.may("admin"):
            lies = None  # to who may not know of it, it is not there
        there = check.id is None or lies is not None
        access = access_to(reach.seen, reach.done, check.action, member) if member is not None else None
        allowed = there and reach.seen.is_seen and check.action in reach.done.actions
        missing = _missing_scope(subject.principal, check)
        if access is not None:
            allowed = allowed and access in (("write",) if check.action in WRITING else ("read", "write"))
        distance = reach.distance if there else None
        sensitivity = member.sensitivity if member is not None else None
        holding = frozenset(lies.holding) if lies is not None else None if check.id is None else UNCONDITIONED
        return CheckResult(
            allowed=allowed and missing is None,
            found=None if check.id is None else lies is not None,
            distance=distance,
            access=access if there else None,
            missing_scope=missing,
            why=[*reasons(subject.roles, resource, check.action, distance, holding, sensitivity)],
        )

    async def _class_of(self, resource: str, member: str) -> Classified | None:
        return class_of(resource, member, await copied_custom_fields(self._session))

    async def _subject(self, check: Check, pointer: str) -> Subject:
        who = (check.user_id, check.key_id)
        if who not in self._subjects:
            self._subjects[who] = await self._read_subject(check, pointer)
        return self._subjects[who]

    async def _read_subject(self, check: Check, pointer: str) -> Subject:
        caller = self._caller
        if check.user_id not in (None, caller.subject) or check.key_id not in (None, caller.credential):
            require(caller, "admin")
        if check.user_id is not None:
            principal = await principal_of_user(self._session, check.user_id, caller.region)
        elif check.key_id is not None:
            principal = await principal_of_key(self._session, check.key_id, caller.region)
        else:
            principal = caller
        if principal is None:
            raise _invalid(f"{pointer}/{'user_id' if check.user_id else 'key_id'}", "not_found", _UNKNOWN)
        return Subject(principal, await roles_held(self._session, await self._roles(principal)))

    async def _roles(self, principal: Principal) -> Sequence[str]:
        if prefix_of(principal.subject) == "user":
            user = await users.active(self._session, principal.subject)
            return user.roles if user is not None else []
        found = await self._session.scalar(select(_key.roles).where(_key.id == principal.subject))
        return cast("list[str]", found or [])

    async def _inspect(self, subject: Principal, resource: str, check: Check) -> Inspection | None:
        """None of a record that is not there."""
        service: Service | None = SERVICE_OF.get(prefix_of(check.id or "") or "")
        if service is None:
            return None
        # The scopes are looked at here; what is asked there is how the record lies.
        target = f"/internal/access/{resource}/{check.id}?action={check.action}"
        asker = replace(subject, scopes=frozenset({"read"}))
        answer = await self._client.call(asker, service, "GET", target, timeout=self._seconds)
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise UpstreamUnavailable(service)
        return Inspection.model_validate(orjson.loads(answer.content))


class _Reach(NamedTuple):
    """What holds for reading a record, and for doing something to it; and how near it is for that."""

    seen: RecordRights
    done: RecordRights
    distance: Level | None


def _reach(subject: Principal, resource: str, check: Check, lies: Inspection | None) -> _Reach:
    if subject.rights is None or subject.rights.is_unlimited:
        return _Reach(EVERYTHING, EVERYTHING, "own")
    mine = subject.rights.on(resource)
    if check.id is None:
        granted = [level for level in mine.levels if check.action in mine.at_most(level).actions]
        return _Reach(mine.at_most("own"), mine.at_most("own"), granted[-1] if granted else None)
    if lies is None:
        return _Reach(NOTHING, NOTHING, None)
    holding = frozenset(lies.holding)
    seen = mine.at(lies.seen, holding) if lies.seen is not None else NOTHING
    done = mine.at(lies.reached, holding) if lies.reached is not None else NOTHING
    return _Reach(seen, done, lies.reached)


def _resource(check: Check) -> str:
    """Customers are contacts and accounts."""
    if check.resource != "customers":
        return check.resource
    return "accounts" if check.id is not None and prefix_of(check.id) == "account" else "contacts"


def _missing_scope(subject: Principal, check: Check) -> str | None:
    for resource in dict.fromkeys((check.resource, _resource(check))):
        scope = scope_of(f"{resource}:{check.action}")
        if not subject.holds(scope):
            return scope
    return None


def _invalid(pointer: str, code: str, text: Text) -> ValidationFailed:
    return ValidationFailed(text, errors=[FieldError(pointer, code, text)])
