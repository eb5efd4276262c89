"""What can go wrong when a record is to come into a stage, besides the form."""

from crm_kit.errors import Conflict, Text


class StageOutOfReach(Conflict):
    """The stage that the record is in does not lead there; `allowed` names those that it leads to."""

    code = "stage_out_of_reach"
    title = Text("The record's stage does not lead there", "当前阶段不能转入该阶段")
    advice = Text(
        "Move it to one of the stages in `allowed`, or let the lifecycle allow this: PATCH /v1/lifecycle.",
        "请转入 `allowed` 所列的阶段，或修改客户阶段设置：PATCH /v1/lifecycle。",
    )
