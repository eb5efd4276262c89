"""What can be done with an import."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from crm_contracts.ids import ImportId
from crm_kit.db.models import utc_now
from crm_kit.db.rows import new_row
from crm_kit.db.session import ReadSession, WriteSession, storable
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.problems import json_pointer
from crm_kit.http.route import require
from crm_kit.jobs import start_job
from crm_kit.tabular.inspecting import InspectedTable
from crm_kit.timers import set_timer

from contacts_svc.features.declaring.repository import declared_for
from contacts_svc.features.import_columns.rules import DEFAULT_MATCH, guess_mapping, is_target, targets
from contacts_svc.features.import_rows import repository as rows
from contacts_svc.features.import_rows.rules import Columns
from contacts_svc.features.import_rows.schemas import Terms
from contacts_svc.features.imports.errors import ImportBusy, ImportDone, ImportExpired, NothingToRevert
from contacts_svc.features.imports.events import UNPUBLISHED
from contacts_svc.features.imports.models import ImportRow
from contacts_svc.features.imports.schemas import Import, ImportOptions, ImportRun
from contacts_svc.features.stages.repository import STAGES

KEPT: Final = timedelta(days=30)
"""So long an import can be run, reverted and its rows read."""

FORGET_IMPORT: Final = "forget_import"
IMPORT_JOB: Final = "import"
REVERT_JOB: Final = "import_revert"
BUSY: Final = frozenset({"pending", "running", "reverting"})


async def create_import(
    session: WriteSession,
    options: ImportOptions,
    table: InspectedTable,
    filename: str | None,
    caller: Principal,
    language: str,
) -> Import:
    """It begins at once. Raises Forbidden, ValidationFailed."""
    _require(caller, options)
    names = [column["name"] for column in table.columns]
    declared = await session.known(declared_for(options.resource))
    mapping = guess_mapping(options.resource, names, declared.fields) | (options.mapping or {})
    if table.format == "ndjson":
        mapping = {}
    _check(options, names, mapping)
    import_id = ImportId.new()
    row = new_row(
        ImportRow,
        id=import_id,
        resource=options.resource,
        dry_run=options.dry_run,
        filename=storable(filename.replace("\\", "/").rpartition("/")[2])[:300] if filename else None,
        size=await rows.keep_file(session, import_id, table.file),
        rows=table.rows,
        format=table.format,
        encoding=table.layout.encoding,
        delimiter=table.layout.delimiter if table.layout.format == "csv" else None,
        sheet=options.sheet,
        columns=list(table.columns),
        mapping=mapping,
        match=list(options.match if options.match is not None else DEFAULT_MATCH[options.resource]),
        on_match=options.on_match,
        duplicates=options.duplicates,
        defaults=options.defaults.model_dump(mode="json", exclude_defaults=True),
        create_accounts=options.create_accounts,
        day_first=options.day_first,
        job_id=await start_job(session, IMPORT_JOB, import_id, caller),
        requested_by=caller.subject,
        expires_at=utc_now() + KEPT,
        language=language,
    )
    await set_timer(session, FORGET_IMPORT, import_id, row.expires_at)
    return await UNPUBLISHED.created(session, row)


def _require(caller: Principal, options: ImportOptions | ImportRow) -> None:
    require(caller, f"{options.resource}:create")
    if options.on_match in ("update", "fill"):
        require(caller, f"{options.resource}:update")
    if options.duplicates != "allow":  # the candidates are others' records
        require(caller, "contacts:read")


def _check(options: ImportOptions | ImportRow, names: list[str], mapping: Mapping[str, str | None]) -> None:
    resource = options.resource
    faults: list[FieldError] = []
    for column, target in mapping.items():
        pointer = json_pointer(["mapping", column])
        if column not in names:
            faults.append(FieldError(pointer, "unknown_column", Text("The file has no such column", "文件中没有该列")))
        elif target is not None and not is_target(resource, target):  # type: ignore[arg-type]  # what was stored is one of them
            known = ", ".join(targets(resource))  # type: ignore[arg-type]  # as above
            text = Text(
                f"Must be one of {known}, external_ids.<system> or custom.<name>",
                f"必须是以下之一：{known}、external_ids.<系统> 或 custom.<名称>",
            )
            faults.append(FieldError(pointer, "choice", text))
    once = Counter(target for target in mapping.values() if target not in (None, "email", "phone"))
    for column, target in mapping.items():
        if target is not None and once[target] > 1:
            text = Text("Another column means the same", "另有列映射到同一字段")
            faults.append(FieldError(json_pointer(["mapping", column]), "duplicate_target", text))
    for place, name in enumerate(options.match or ()):
        if name not in DEFAULT_MATCH[resource]:  # type: ignore[index]  # as above
            text = Text(f"{resource} are not found by this", "不能按此字段匹配")
            faults.append(FieldError(f"/match/{place}", "choice", text))
    if names and not any(mapping.values()):
        text = Text("No column means anything: set mapping", "没有可识别的列：请设置 mapping")
        faults.append(FieldError("/mapping", "nothing_mapped", text))
    if faults:
        raise ValidationFailed(Text("The import is not valid; see errors.", "导入无效，见 errors。"), errors=faults)


async def terms_of(session: ReadSession, row: ImportRow) -> Terms:
    names = [column["name"] for column in row.columns]
    resource: Any = row.resource
    on_match: Any = row.on_match
    duplicates: Any = row.duplicates
    columns = None
    if row.format != "ndjson":
        declared = await session.known(declared_for(resource))
        stages = await session.known(STAGES)
        columns = Columns(
            resource,
            names,
            row.mapping,
            day_first=row.day_first,
            declared=declared.fields,
            stage=stages.spelled,
        )
    return Terms(
        import_id=row.id,
        resource=resource,
        columns=columns,
        match={**DEFAULT_MATCH, resource: row.match},
        on_match=on_match,
        duplicates=duplicates,
        defaults=row.defaults,
        create_accounts=row.create_accounts,
        dry_run=row.dry_run,
        language=row.language,
    )


async def run_import(session: WriteSession, row: ImportRow, data: ImportRun, caller: Principal) -> None:
    """Anew after a dry run or a revert; after a failure or a cancellation from where it stopped.

    Raises ImportBusy, ImportDone, ImportExpired, Forbidden, ValidationFailed.
    """
    before = UNPUBLISHED.snapshot(row)
    _check_idle(row)
    stopped = row.status in ("failed", "cancelled") and not row.dry_run
    changed = data.model_dump(exclude_unset=True, exclude={"dry_run"})
    if row.status == "succeeded" or (stopped and (changed or data.dry_run)):
        raise ImportDone(
            Text("Revert it first; a stopped one goes on without changes.", "请先撤销；已中止的导入只能原样继续。")
        )
    if not stopped:
        _change(row, data)
        await rows.forget_results(session, row.id)
        row.position = row.done = row.linked = row.revert_turn = 0
        row.is_read, row.reverted, row.reverted_to, row.counts = False, None, None, {}
    _require(caller, row)
    row.dry_run, row.status = data.dry_run, "pending"
    row.job_id = await start_job(session, IMPORT_JOB, row.id, caller)
    await UNPUBLISHED.updated(session, row, before)


def _change(row: ImportRow, data: ImportRun) -> None:
    if data.mapping is not None:
        row.mapping = {**row.mapping, **data.mapping}
    if data.match is not None:
        row.match = list(data.match)
    if data.on_match is not None:
        row.on_match = data.on_match
    if data.duplicates is not None:
        row.duplicates = data.duplicates
    if data.defaults is not None:
        row.defaults = data.defaults.model_dump(mode="json", exclude_defaults=True)
    if data.create_accounts is not None:
        row.create_accounts = data.create_accounts
    if "day_first" in data.model_fields_set:
        row.day_first = data.day_first
    _check(row, [column["name"] for column in row.columns], row.mapping)


def _check_idle(row: ImportRow) -> None:
    if row.status in BUSY:
        raise ImportBusy(
            Text("Wait for its job, or cancel that.", "请等待其任务结束或取消任务。"), members={"job_id": row.job_id}
        )
    if row.expires_at <= utc_now():
        raise ImportExpired(
            Text(f"It was kept for {KEPT.days} days.", f"导入文件仅保留 {KEPT.days} 天。"),
        )


async def revert_import(session: WriteSession, row: ImportRow, caller: Principal) -> None:
    """Raises ImportBusy, ImportExpired, NothingToRevert, Forbidden."""
    before = UNPUBLISHED.snapshot(row)
    _check_idle(row)
    done = any(row.counts.get(name) for name in ("created", "updated", "accounts_created"))
    if row.dry_run or row.status == "reverted" or not done:
        raise NothingToRevert
    require(caller, f"{row.resource}:delete")
    require(caller, f"{row.resource}:update")
    row.status, row.reverted, row.reverted_to, row.revert_turn = "reverting", {}, None, 0
    row.job_id = await start_job(session, REVERT_JOB, row.id, caller)
    await UNPUBLISHED.updated(session, row, before)


async def delete_import(session: WriteSession, row: ImportRow, _caller: Principal) -> None:
    """Its file and what became of its rows; what was taken in stays. Raises ImportBusy."""
    if row.status in BUSY:
        raise ImportBusy
    await rows.forget_file(session, row.id)
    await UNPUBLISHED.deleted(session, row)


async def forget_import(session: WriteSession, row: ImportRow) -> None:
    """Its time is over: that it was, and how many rows became what, stays."""
    before = UNPUBLISHED.snapshot(row)
    await rows.forget_file(session, row.id)
    row.columns = [{**column, "samples": []} for column in row.columns]
    await UNPUBLISHED.updated(session, row, before)
