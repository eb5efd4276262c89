"""Up to 1,000 operations in one request and one transaction; one bad row spoils no other."""

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, Self, TypeVar

from crm_contracts.types import Entity, Input
from sqlalchemy.exc import IntegrityError

from crm_kit.db.models import EntityRow
from crm_kit.db.session import WriteSession
from crm_kit.errors import Conflict, FieldError, Problem, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.route import require
from crm_kit.resources import access
from crm_kit.resources.resource import Key, Matcher, Resource
from crm_kit.resources.schemas import BatchOperation, BatchResult
from crm_kit.resources.writing import change, create

RowT = TypeVar("RowT", bound=EntityRow)
WriteT = TypeVar("WriteT", bound=Input)
EntityT = TypeVar("EntityT", bound=Entity)


_TOGETHER = 100
"""Operations behind one savepoint. More than 64 savepoints in a transaction slow every snapshot of the server down."""


async def run_operations(
    session: WriteSession,
    resource: Resource[RowT, WriteT, EntityT],
    operations: Sequence[BatchOperation],
    caller: Principal,
    language: str,
) -> list[BatchResult]:
    """Runs the operations in their order: some together, or each by itself where one of them fails."""
    results: list[BatchResult] = []
    for start in range(0, len(operations), _TOGETHER):
        some = operations[start : start + _TOGETHER]
        try:
            async with session.savepoint(), session.gathered():
                together = await _Together.prepared(session, resource, some, caller)
                done = [await together.run(operation) for operation in some]
        except (Problem, IntegrityError):
            results += [await _run_alone(session, resource, operation, caller, language) for operation in some]
        else:
            results += [_told(each) for each in done]
    return results


async def _run_alone(
    session: WriteSession,
    resource: Resource[RowT, WriteT, EntityT],
    operation: BatchOperation,
    caller: Principal,
    language: str,
) -> BatchResult:
    try:
        async with session.savepoint():
            done = await _Together(session, resource, caller).run(operation)
    except Problem as problem:
        return BatchResult(status=problem.status, error=problem.body(language))
    except IntegrityError:
        return BatchResult(status=Conflict.status, error=Conflict().body(language))
    return _told(done)


class _Done(NamedTuple):
    """What became of an operation. `is_stale`: it came too late, and nothing was changed."""

    status: int
    id: str
    version: int
    is_stale: bool = False


def _told(done: _Done) -> BatchResult:
    return BatchResult(status=done.status, id=done.id, version=done.version, stale=done.is_stale or None)


class _Together(Generic[RowT, WriteT, EntityT]):
    """Operations that run one after the other, with what they look up looked up for all of them before.

    What was looked up counts until one of them changes it.
    """

    def __init__(self, session: WriteSession, resource: Resource[RowT, WriteT, EntityT], caller: Principal) -> None:
        self._session = session
        self._resource = resource
        self._caller = caller
        self._found: dict[str, dict[Key, Sequence[str]]] = {}
        self._keys_of: dict[int, Sequence[Key]] = {}
        self._rows: dict[str, RowT] = {}
        self._validated: dict[int, WriteT] = {}

    @classmethod
    async def prepared(
        cls,
        session: WriteSession,
        resource: Resource[RowT, WriteT, EntityT],
        operations: Sequence[BatchOperation],
        caller: Principal,
    ) -> Self:
        """Raises Problem where it can be told before."""
        together = cls(session, resource, caller)
        wanted: dict[str, list[Key]] = {}
        for operation in operations:
            if operation.method == "upsert":
                wanted.setdefault(operation.match or "", []).extend(together._keys(operation))
        for name, keys in wanted.items():
            together._found[name] = dict(await resource.match[name].find(session, list(dict.fromkeys(keys))))
        if session.sights is None:  # for others each row is looked at as it is locked
            ids = {id_ for found in together._found.values() for matches in found.values() for id_ in matches}
            ids |= {operation.id for operation in operations if operation.method == "update" and operation.id}
            together._rows = dict(await resource.lock_all(session, ids)) if ids else {}
        await together._foresee(operations)
        return together

    async def _foresee(self, operations: Sequence[BatchOperation]) -> None:
        """What is not there yet will be created, unless one of them creates it for another."""
        if self._resource.foresee is None:
            return
        for operation in operations:
            if operation.method == "create" or (operation.method == "upsert" and not await self._matches(operation)):
                self._validated[id(operation)] = self._resource.validated(operation.data)
        await self._resource.foresee(self._session, list(self._validated.values()))

    async def run(self, operation: BatchOperation) -> _Done:
        """Raises Problem."""
        if operation.method == "create":
            return await self._create(operation)
        if operation.method == "update":
            if operation.id is None:
                raise _fault("/id", "required", Text("An update names the id", "更新操作必须指定 id"))
            return await self._update(operation.id, operation.data)
        field = self._resource.fields.get(operation.match or "")
        found = await access.findable(self._session, self._resource, field, await self._matches(operation))
        if not found:
            return await self._create(operation)
        if len(found) > 1:
            raise Conflict(Text("Several match.", "匹配到多个对象。"), members={"candidates": list(found[:20])})
        return await self._update(found[0], operation.data)

    def _matcher(self, operation: BatchOperation) -> Matcher[EntityT]:
        matcher = self._resource.match.get(operation.match or "")
        if matcher is None:
            keys = ", ".join(self._resource.match) or "-"
            raise _fault("/match", "choice", Text(f"An upsert matches by one of {keys}", f"匹配字段必须是：{keys}"))
        return matcher

    def _keys(self, operation: BatchOperation) -> Sequence[Key]:
        """Worked out once."""
        keys = self._keys_of.get(id(operation))
        if keys is None:
            keys = self._keys_of[id(operation)] = self._matcher(operation).keys(operation.data, self._caller)
        return keys

    async def _matches(self, operation: BatchOperation) -> Sequence[str]:
        keys, known = self._keys(operation), self._found.setdefault(operation.match or "", {})
        missing = [key for key in keys if key not in known]
        if missing:
            known |= await self._matcher(operation).find(self._session, missing)
        return sorted({id_ for key in keys for id_ in known[key]})

    def _forget(self, entity: EntityT) -> None:
        """It has changed, and with it what is found by what it holds or held."""
        for name, found in self._found.items():
            for key in self._resource.match[name].held(entity):
                found.pop(key, None)

    async def _create(self, operation: BatchOperation) -> _Done:
        if self._resource.create is None:
            raise _fault("/method", "choice", Text("These cannot be created", "不支持创建"))
        require(self._caller, f"{self._resource.permission}:create")
        data = self._validated.get(id(operation)) or self._resource.validated(operation.data)
        entity = await create(self._session, self._resource, data, self._caller)
        self._forget(entity)
        return _Done(201, str(entity.id), entity.version)  # type: ignore[attr-defined]  # every entity type has its own id type

    async def _update(self, entity_id: str, data: dict[str, Any]) -> _Done:
        if self._resource.update is None:
            raise _fault("/method", "choice", Text("These cannot be updated", "不支持更新"))
        require(self._caller, f"{self._resource.permission}:update")
        row = self._rows.get(entity_id) or await self._resource.lock(self._session, entity_id)
        changed = await change(self._session, self._resource, row, data, self._caller)
        if self._found and row.version != changed.before.version:
            self._forget(changed.before)
            self._forget(self._resource.events.snapshot(row))
        return _Done(200, row.id, row.version, changed.is_stale)


def _fault(pointer: str, code: str, detail: Text) -> ValidationFailed:
    return ValidationFailed(detail, errors=[FieldError(pointer, code, detail)])
