"""What can be done with a deal."""

from collections.abc import Sequence

from crm_contracts.ids import DealId
from crm_contracts.pipeline import Deal, Stage, StageEntry
from crm_kit import context
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.merging import with_current

from pipeline_svc import lines
from pipeline_svc.features.deals import rules
from pipeline_svc.features.deals.events import DEAL_EVENTS
from pipeline_svc.features.deals.models import DealRow
from pipeline_svc.features.deals.schemas import DealMove, DealWrite
from pipeline_svc.features.pipelines import repository as pipelines
from pipeline_svc.features.pipelines.models import PipelineRow
from pipeline_svc.features.pipelines.usecases import ensure_default_pipeline


async def create_deal(session: WriteSession, data: DealWrite, caller: Principal) -> Deal:
    data = await with_current(session, data, "contact_id")
    pipeline = await _pipeline(session, data.pipeline_id, data.stage_id, caller)
    stage = _stage(pipeline, data.stage_id)
    row = DealRow(
        id=DealId.new(),
        name=data.name,
        pipeline_id=pipeline.id,
        stage_id=stage.id,
        status=stage.kind,
        stage_entered_at=utc_now(),
    )
    _write(row, data, None)
    _check_reason(data.lost_reason, stage)
    _enter(row, None, pipeline.id, stage)
    return await DEAL_EVENTS.created(session, row)


async def update_deal(session: WriteSession, row: DealRow, data: DealWrite, caller: Principal) -> None:
    """A change of `stage_id` or `pipeline_id` is a move; where only the pipeline changes, to its first stage."""
    before = DEAL_EVENTS.snapshot(row)
    data = await with_current(session, data, "contact_id", row)
    if (data.pipeline_id, data.stage_id) == (before.pipeline_id, before.stage_id):
        if data.lost_reason != before.lost_reason and before.status != "lost":
            raise _fault("/lost_reason", "not_lost", _ONLY_LOST)
        _write(row, data, before)
        await DEAL_EVENTS.updated(session, row, before)
        return
    kept = data.pipeline_id not in (None, before.pipeline_id) and data.stage_id == before.stage_id
    stage_id = None if kept else data.stage_id
    pipeline = await _pipeline(session, data.pipeline_id, stage_id, caller)
    stage = _stage(pipeline, stage_id)
    reason = data.lost_reason
    if stage.kind != "lost" and reason == before.lost_reason:
        reason = None  # the reason for a loss goes when the loss does
    _check_reason(reason, stage)
    _write(row, data.model_copy(update={"lost_reason": reason}), before)
    await _move(session, row, before, pipeline.id, stage)


async def move_deal(session: WriteSession, row: DealRow, data: DealMove) -> None:
    """Into another stage of its pipeline. In the stage already: nothing happens, but for a new `lost_reason`."""
    before = DEAL_EVENTS.snapshot(row)
    pipeline = await _pipeline(session, before.pipeline_id, None, None)
    stage = _stage(pipeline, data.stage_id)
    _check_reason(data.lost_reason, stage)
    if data.lost_reason is not None or stage.kind != "lost":
        row.lost_reason = data.lost_reason
    await _move(session, row, before, pipeline.id, stage)


async def delete_deal(session: WriteSession, row: DealRow, _caller: Principal) -> None:
    await DEAL_EVENTS.deleted(session, row)


async def _move(session: WriteSession, row: DealRow, before: Deal, pipeline_id: str, stage: Stage) -> None:
    moved = stage.id != before.stage_id
    if moved:
        _enter(row, before, pipeline_id, stage)
    await DEAL_EVENTS.updated(session, row, before, action="stage_moved" if moved else "updated")


async def _pipeline(
    session: WriteSession, pipeline_id: str | None, stage_id: str | None, caller: Principal | None
) -> PipelineRow:
    """The pipeline that is named, or that of the stage, or the default one. It is held: its stages cannot change."""
    if pipeline_id is not None:
        row = await pipelines.hold(session, pipeline_id)
        pointer, detail = "/pipeline_id", Text("There is no such pipeline", "不存在该销售流程")
    elif stage_id is not None:
        row = await pipelines.hold_with_stage(session, stage_id)
        pointer, detail = "/stage_id", Text("There is no such stage", "不存在该阶段")
    else:
        assert caller is not None, "a deal that is moved has a pipeline"
        return await ensure_default_pipeline(session, caller.region)
    if row is None:
        raise _fault(pointer, "not_found", detail)
    return row


def _stage(pipeline: PipelineRow, stage_id: str | None) -> Stage:
    """The stage of the pipeline that is named, or its first."""
    stages = [Stage.model_validate(stage) for stage in pipeline.stages]
    if stage_id is None:
        return rules.first_stage(stages)
    stage = next((stage for stage in stages if stage.id == stage_id), None)
    if stage is None:
        names = ", ".join(f"{stage.name} ({stage.id})" for stage in stages)
        detail = Text(
            f"There is no such stage in {pipeline.name} ({pipeline.id}); it has {names}",
            f"{pipeline.name}（{pipeline.id}）中没有该阶段；它包含：{names}",
        )
        raise _fault("/stage_id", "not_in_pipeline", detail)
    return stage


def _write(row: DealRow, data: DealWrite, before: Deal | None) -> None:
    """All but the stage. References may be ahead of what they refer to."""
    amount = data.amount
    if lines.lines_decide(amount, data.lines, before.amount if before else None, before.lines if before else ()):
        amount = lines.total_or_none(data.lines)
    row.amount_value = lines.stored_amount(amount) if amount else None
    row.amount_currency = amount.currency if amount else None
    row.lines = [line.model_dump(mode="json") for line in data.lines]
    row.tags = list(dict.fromkeys(data.tags))
    row.custom = dict(data.custom)
    row.shares = [share.model_dump(mode="json") for share in data.shares]
    for field in (
        "name",
        "expected_close",
        "contact_id",
        "account_id",
        "owner_id",
        "team_id",
        "next_step",
        "lost_reason",
    ):
        setattr(row, field, getattr(data, field))


def _enter(row: DealRow, before: Deal | None, pipeline_id: str, stage: Stage) -> None:
    """Puts the deal into a stage. Raises ValidationFailed where it lacks what the stage requires."""
    missing = rules.missing_fields(stage.required_fields, lambda field: _value(row, field))
    if missing:
        detail = Text(f"The stage {stage.name} requires it", f"进入阶段“{stage.name}”必须填写")
        raise ValidationFailed(
            Text(
                f"A deal enters {stage.name} only with {', '.join(missing)}.",
                f"进入阶段“{stage.name}”前请先填写：{'、'.join(missing)}。",
            ),
            errors=[FieldError("/" + field.replace(".", "/"), "required_by_stage", detail) for field in missing],
        )
    history: Sequence[StageEntry] = before.stage_history if before else ()
    here = context.current()
    at = rules.entry_time(history, utc_now())
    entries = rules.enter_stage(history, stage, at, here.actor_id if here else None)
    row.stage_history = [entry.model_dump(mode="json") for entry in entries]
    row.stage_entered_at = at
    row.closed_at = rules.closing_time(before.status if before else None, row.closed_at, stage.kind, at)
    row.pipeline_id, row.stage_id, row.status = pipeline_id, stage.id, stage.kind


def _value(row: DealRow, field: str) -> object:
    group, _, name = field.partition(".")
    return row.custom.get(name) if name else getattr(row, group)


_ONLY_LOST = Text("Only a deal in a lost stage has a reason for its loss", "只有处于输单阶段的商机才有输单原因")


def _check_reason(lost_reason: str | None, stage: Stage) -> None:
    if lost_reason is not None and stage.kind != "lost":
        raise _fault("/lost_reason", "not_lost", _ONLY_LOST)


def _fault(pointer: str, code: str, detail: Text) -> ValidationFailed:
    return ValidationFailed(detail, errors=[FieldError(pointer, code, detail)])
