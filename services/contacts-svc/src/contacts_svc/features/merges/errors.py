"""What can go wrong with merges."""

from crm_kit.errors import Conflict, Text


class MergeUndone(Conflict):
    """The merge was undone before."""

    code = "merge_undone"
    title = Text("The merge has been undone already", "该合并已被撤销")


class SurvivorMerged(Conflict):
    """The contact that was left is itself merged by now; `merge_id` is to be undone first."""

    code = "survivor_merged"
    title = Text("The contact has been merged further", "该联系人又被合并到其他联系人")
    advice = Text("Undo the merge named in merge_id first.", "请先撤销 merge_id 所示的合并。")
