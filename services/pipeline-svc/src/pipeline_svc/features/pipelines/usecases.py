"""What can be done with a pipeline."""

from collections.abc import Mapping, Sequence

from crm_contracts.ids import PipelineId, StageId
from crm_contracts.pipeline import Pipeline, Stage
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal

from pipeline_svc.features.pipelines import repository, rules
from pipeline_svc.features.pipelines.errors import DefaultPipeline, PipelineInUse, StageInUse
from pipeline_svc.features.pipelines.events import PIPELINE_EVENTS
from pipeline_svc.features.pipelines.models import PipelineRow
from pipeline_svc.features.pipelines.schemas import PipelineWrite, StageWrite


async def create_pipeline(session: WriteSession, data: PipelineWrite, caller: Principal) -> Pipeline:
    """The first pipeline of a tenant is not the only one, unless it is to be the default."""
    if data.is_default:
        await _dethrone(session)
    else:
        await ensure_default_pipeline(session, caller.region)
    stages = _usual_stages(caller.region) if data.stages is None else _stages(data.stages, {})
    return await _insert(session, data.name, stages, is_default=data.is_default)


async def update_pipeline(session: WriteSession, row: PipelineRow, data: PipelineWrite, _caller: Principal) -> None:
    before = PIPELINE_EVENTS.snapshot(row)
    if before.is_default and not data.is_default:
        raise DefaultPipeline(
            Text(
                "Set is_default to true on another pipeline instead.",
                "请改为将另一个销售流程的 is_default 设为 true。",
            )
        )
    if data.stages is None:
        raise _fault("/stages", "required", Text("A pipeline has stages", "销售流程必须包含阶段"))
    stages = _stages(data.stages, {stage.id: stage for stage in before.stages})
    await _check_use(session, before.stages, stages)
    if data.is_default and not before.is_default:
        await _dethrone(session)
    row.name = data.name
    row.is_default = data.is_default
    _write_stages(row, stages)
    await PIPELINE_EVENTS.updated(session, row, before)


async def delete_pipeline(session: WriteSession, row: PipelineRow, _caller: Principal) -> None:
    if row.is_default:
        raise DefaultPipeline(
            Text(
                "Set is_default to true on another pipeline, then delete this one.",
                "请先将另一个销售流程的 is_default 设为 true，再删除此流程。",
            )
        )
    if await repository.has_deals(session, row.id):
        raise PipelineInUse(
            Text(
                f"Move or delete its deals first: GET /v1/deals?pipeline_id={row.id} lists them.",
                f"请先移动或删除其中的商机：GET /v1/deals?pipeline_id={row.id} 可列出它们。",
            )
        )
    await PIPELINE_EVENTS.deleted(session, row)


async def ensure_default_pipeline(session: WriteSession, region: str) -> PipelineRow:
    """The tenant's default pipeline, made if there is none, held until the transaction ends."""
    row = await repository.hold_default(session)
    if row is None:
        await repository.lock_default(session)
        row = await repository.hold_default(session)
    if row is None:
        name = "销售流程" if rules.in_chinese(region) else "Sales pipeline"
        pipeline = await _insert(session, name, _usual_stages(region), is_default=True)
        row = await repository.hold(session, pipeline.id)
        assert row is not None, "it was just made"
    return row


async def _dethrone(session: WriteSession) -> None:
    """Takes the default from the pipeline that has it, so that another can become it in this transaction."""
    await repository.lock_default(session)
    row = await repository.lock_default_row(session)
    if row is not None:
        before = PIPELINE_EVENTS.snapshot(row)
        row.is_default = False
        await PIPELINE_EVENTS.updated(session, row, before)


async def _insert(session: WriteSession, name: str, stages: Sequence[Stage], *, is_default: bool) -> Pipeline:
    row = PipelineRow(id=PipelineId.new(), name=name, is_default=is_default)
    _write_stages(row, stages)
    return await PIPELINE_EVENTS.created(session, row)


def _write_stages(row: PipelineRow, stages: Sequence[Stage]) -> None:
    row.stages = [stage.model_dump(mode="json") for stage in stages]
    row.stage_ids = [stage.id for stage in stages]


def _usual_stages(region: str) -> list[Stage]:
    return [
        Stage(
            id=StageId.new(),
            name=usual.zh if rules.in_chinese(region) else usual.en,
            probability=usual.probability,
            order=order,
            kind=usual.kind,
            rotting_days=usual.rotting_days,
            required_fields=[],
        )
        for order, usual in enumerate(rules.USUAL_STAGES)
    ]


def _stages(written: Sequence[StageWrite], known: Mapping[StageId, Stage]) -> list[Stage]:
    """The stages in their order. Raises ValidationFailed."""
    faults: list[FieldError] = []
    seen: set[StageId] = set()
    for index, stage in enumerate(written):
        if stage.id is None:
            continue
        if stage.id not in known:
            detail = Text(
                "There is no such stage in this pipeline; leave the id out for a new one",
                "该销售流程中没有此阶段；新阶段请不要填写 id",
            )
            faults.append(FieldError(f"/stages/{index}/id", "not_found", detail))
        elif stage.id in seen:
            faults.append(FieldError(f"/stages/{index}/id", "duplicate", Text("Is given twice", "重复")))
        seen.add(stage.id)
    if missing := rules.missing_kinds(stage.kind for stage in written):
        detail = Text(
            f"A pipeline needs at least one open, one won and one lost stage; there is none that is {', '.join(missing)}",
            f"销售流程至少需要一个 open、一个 won 和一个 lost 阶段；缺少：{'、'.join(missing)}",
        )
        faults.append(FieldError("/stages", "stage_kinds", detail))
    if faults:
        raise ValidationFailed(Text("The stages are not valid; see errors.", "阶段无效，见 errors。"), errors=faults)
    orders = rules.orders([stage.order for stage in written])
    stages = [_stage(stage, order) for stage, order in zip(written, orders, strict=True)]
    return sorted(stages, key=lambda stage: stage.order)


def _stage(written: StageWrite, order: int) -> Stage:
    probability = written.probability
    return Stage(
        id=written.id or StageId.new(),
        name=written.name,
        probability=rules.USUAL_PROBABILITY[written.kind] if probability is None else probability,
        order=order,
        kind=written.kind,
        rotting_days=written.rotting_days,
        required_fields=list(dict.fromkeys(written.required_fields)),
    )


async def _check_use(session: WriteSession, before: Sequence[Stage], after: Sequence[Stage]) -> None:
    """A stage with deals stays, and stays of its kind: deals have no stage, or another status, only by a move."""
    kinds = {stage.id: stage.kind for stage in after}
    touched = {stage.id: stage for stage in before if kinds.get(stage.id) != stage.kind}
    in_use = await repository.stages_with_deals(session, list(touched))
    if in_use:
        names = ", ".join(f"{touched[StageId(stage_id)].name} ({stage_id})" for stage_id in in_use)
        raise StageInUse(
            Text(
                f"Deals are in {names}. Move them first: GET /v1/deals?stage_id={in_use[0]} lists them, "
                "POST /v1/deals/{id}/move moves one.",
                f"{names} 中还有商机。请先移走：GET /v1/deals?stage_id={in_use[0]} 可列出，"
                "POST /v1/deals/{id}/move 可移动。",
            ),
            members={"stage_ids": in_use},
        )


def _fault(pointer: str, code: str, detail: Text) -> ValidationFailed:
    return ValidationFailed(detail, errors=[FieldError(pointer, code, detail)])
