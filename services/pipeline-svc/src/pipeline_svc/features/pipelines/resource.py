"""Pipelines as a resource."""

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from pipeline_svc.features.pipelines import usecases
from pipeline_svc.features.pipelines.events import PIPELINE_EVENTS
from pipeline_svc.features.pipelines.models import PipelineRow
from pipeline_svc.features.pipelines.schemas import PipelineWrite

_c = columns(PipelineRow)

FIELDS = FieldSet(
    "Pipeline",
    [
        *base_fields(PipelineRow),
        Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
        Field("is_default", FieldType.BOOLEAN, _c.is_default, nullable=False),
        Field("stage_id", FieldType.ID_LIST, _c.stage_ids, value="stages.id"),
    ],
)

PIPELINES = Resource(
    singular="pipeline",
    plural="pipelines",
    label=Text("pipeline", "销售流程"),
    row=PipelineRow,
    write=PipelineWrite,
    events=PIPELINE_EVENTS,
    fields=FIELDS,
    ownership=TENANT_WIDE,
    create=usecases.create_pipeline,
    update=usecases.update_pipeline,
    delete=usecases.delete_pipeline,
)
