"""What can go wrong with bulk changes besides their form."""

from crm_kit.errors import Conflict, Text


class BulkChangeBusy(Conflict):
    """Its job has not ended."""

    code = "bulk_change_busy"
    title = Text("The bulk change is under way", "批量变更正在进行")
    advice = Text("Wait for its end, or cancel its job.", "请等待其结束，或取消该任务。")


class MoreThanExpected(Conflict):
    """The condition finds more than `at_most` says; nothing was changed."""

    code = "more_than_expected"
    title = Text("There are more than you expected", "符合条件的记录多于预期")
    advice = Text(
        "Look at the preview; narrow the condition, or raise at_most.", "请查看预览；收窄条件，或调高 at_most。"
    )
