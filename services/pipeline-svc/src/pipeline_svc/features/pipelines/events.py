"""From the row to what others may see of it."""

from crm_contracts.pipeline import Pipeline
from crm_contracts.registry import PIPELINE
from crm_kit.outbox import EntityEvents

from pipeline_svc.features.pipelines.models import PipelineRow


def snapshot(row: PipelineRow) -> Pipeline:
    return Pipeline.model_validate(row)


PIPELINE_EVENTS = EntityEvents(PIPELINE, PipelineRow, snapshot)
