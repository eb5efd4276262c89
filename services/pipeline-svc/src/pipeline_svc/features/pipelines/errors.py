"""What can go wrong with pipelines besides their form."""

from crm_kit.errors import Conflict, Text


class DefaultPipeline(Conflict):
    """A tenant always has a default pipeline: another must become it first."""

    code = "default_pipeline"
    title = Text("This is the default pipeline", "这是默认销售流程")


class PipelineInUse(Conflict):
    """Deals are in the pipeline."""

    code = "pipeline_in_use"
    title = Text("Deals are in this pipeline", "该销售流程中还有商机")


class StageInUse(Conflict):
    """Deals are in a stage that was to be removed or to change its kind; `stage_ids` names the stages."""

    code = "stage_in_use"
    title = Text("Deals are in this stage", "该阶段中还有商机")
