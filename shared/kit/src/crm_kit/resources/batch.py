"""Up to 1,000 operations in one request and one transaction; one bad row spoils no other."""

from collections.abc import Sequence
from typing import Any, TypeVar

from crm_contracts.types import Entity, Input
from sqlalchemy.exc import IntegrityError

from crm_kit.db.models import EntityRow
from crm_kit.db.session import WriteSession
from crm_kit.errors import Conflict, FieldError, Problem, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.route import require
from crm_kit.resources import access
from crm_kit.resources.resource import Resource
from crm_kit.resources.schemas import BatchOperation, BatchResult
from crm_kit.resources.writing import change, create

RowT = TypeVar("RowT", bound=EntityRow)
WriteT = TypeVar("WriteT", bound=Input)
EntityT = TypeVar("EntityT", bound=Entity)


_TOGETHER = 50
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
            async with session.savepoint():
                done = [await _run(session, resource, operation, caller) for operation in some]
        except (Problem, IntegrityError):
            results += [await _run_alone(session, resource, operation, caller, language) for operation in some]
        else:
            results += [BatchResult(status=status, id=id_, version=version) for status, id_, version in done]
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
            status, entity_id, version = await _run(session, resource, operation, caller)
    except Problem as problem:
        return BatchResult(status=problem.status, error=problem.body(language))
    except IntegrityError:
        return BatchResult(status=Conflict.status, error=Conflict().body(language))
    return BatchResult(status=status, id=entity_id, version=version)


async def _run(
    session: WriteSession,
    resource: Resource[RowT, WriteT, EntityT],
    operation: BatchOperation,
    caller: Principal,
) -> tuple[int, str, int]:
    if operation.method == "create":
        return await _create(session, resource, operation.data, caller)
    if operation.method == "update":
        if operation.id is None:
            raise _fault("/id", "required", Text("An update names the id", "更新操作必须指定 id"))
        return await _update(session, resource, operation.id, operation.data, caller)
    matcher = resource.match.get(operation.match or "")
    if matcher is None:
        keys = ", ".join(resource.match) or "-"
        raise _fault("/match", "choice", Text(f"An upsert matches by one of {keys}", f"匹配字段必须是：{keys}"))
    found = await access.findable(
        session, resource, resource.fields.get(operation.match or ""), await matcher(session, operation.data, caller)
    )
    if not found:
        return await _create(session, resource, operation.data, caller)
    if len(found) > 1:
        raise Conflict(Text("Several match.", "匹配到多个对象。"), members={"candidates": list(found[:20])})
    return await _update(session, resource, found[0], operation.data, caller)


async def _create(
    session: WriteSession, resource: Resource[RowT, WriteT, EntityT], data: dict[str, Any], caller: Principal
) -> tuple[int, str, int]:
    if resource.create is None:
        raise _fault("/method", "choice", Text("These cannot be created", "不支持创建"))
    require(caller, f"{resource.permission}:create")
    entity = await create(session, resource, resource.validated(data), caller)
    return 201, str(entity.id), entity.version  # type: ignore[attr-defined]  # every entity type has its own id type


async def _update(
    session: WriteSession,
    resource: Resource[RowT, WriteT, EntityT],
    entity_id: str,
    data: dict[str, Any],
    caller: Principal,
) -> tuple[int, str, int]:
    if resource.update is None:
        raise _fault("/method", "choice", Text("These cannot be updated", "不支持更新"))
    require(caller, f"{resource.permission}:update")
    row = await resource.lock(session, entity_id)
    await change(session, resource, row, data, caller)
    return 200, row.id, row.version


def _fault(pointer: str, code: str, detail: Text) -> ValidationFailed:
    return ValidationFailed(detail, errors=[FieldError(pointer, code, detail)])
