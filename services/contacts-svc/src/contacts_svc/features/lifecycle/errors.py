"""What can go wrong with the lifecycle besides its form."""

from crm_kit.errors import Conflict, Text


class LifecycleStageInUse(Conflict):
    """Contacts or accounts are in a stage that is to go; `stages` names each such."""

    code = "lifecycle_stage_in_use"
    title = Text("Records are in this stage", "仍有记录处于该阶段")
    advice = Text(
        "Keep the stage and name another as its `replaced_by`: its records go there, and then the stage goes.",
        "请保留该阶段并将其 `replaced_by` 设为另一阶段：记录迁移完成后，该阶段会自动移除。",
    )
