"""What can go wrong with teams besides their form."""

from crm_kit.errors import Conflict, Text


class TeamInUse(Conflict):
    code = "team_in_use"
    title = Text("The team has members or teams below it", "该团队仍有成员或下级团队")
    advice = Text("Move them to another team first.", "请先将其移至其他团队。")
