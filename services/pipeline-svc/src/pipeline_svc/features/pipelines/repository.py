"""Every statement about pipelines beyond those that all resources have."""

from collections.abc import Sequence

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import ColumnElement, select

from pipeline_svc.features.pipelines.models import PipelineRow

_c = columns(PipelineRow)


async def lock_default(session: WriteSession) -> None:
    """Until the transaction ends nobody else decides which pipeline is the tenant's default."""
    await lock_keys(session, "pipeline", ["default"])


async def hold(session: WriteSession, pipeline_id: str) -> PipelineRow | None:
    """The pipeline, which until the transaction ends nobody changes or deletes; others may hold it too."""
    return await _hold(session, _c.id == pipeline_id)


async def hold_with_stage(session: WriteSession, stage_id: str) -> PipelineRow | None:
    """As `hold`: the pipeline that has the stage."""
    return await _hold(session, _c.stage_ids.contains([stage_id]))


async def hold_default(session: WriteSession) -> PipelineRow | None:
    """As `hold`: the default pipeline."""
    return await _hold(session, _c.is_default)


async def _hold(session: WriteSession, condition: ColumnElement[bool]) -> PipelineRow | None:
    statement = select(PipelineRow).where(condition).with_for_update(read=True)
    row: PipelineRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def lock_default_row(session: WriteSession) -> PipelineRow | None:
    """The default pipeline, to be changed."""
    statement = select(PipelineRow).where(_c.is_default).with_for_update()
    row: PipelineRow | None = await session.scalar(statement.execution_options(populate_existing=True))
    return row


async def has_deals(session: ReadSession, pipeline_id: str) -> bool:
    # Imported here: deals build on pipelines, and this is the one thing that pipelines ask about deals.
    from pipeline_svc.features.deals.models import DealRow

    deal = columns(DealRow)
    return await session.scalar(select(deal.id).where(deal.pipeline_id == pipeline_id).limit(1)) is not None


async def stages_with_deals(session: ReadSession, stage_ids: Sequence[str]) -> list[str]:
    """Those of the stages that deals are in."""
    # Imported here: as above.
    from pipeline_svc.features.deals.models import DealRow

    deal = columns(DealRow)
    found = []
    for stage_id in stage_ids:
        if await session.scalar(select(deal.id).where(deal.stage_id == stage_id).limit(1)) is not None:
            found.append(stage_id)
    return found
