"""What can go wrong with a replay."""

from crm_kit.errors import Conflict, Text


class ReplayOver(Conflict):
    """Everything that fitted has arrived or was given up, or somebody has cancelled it before."""

    code = "webhook_replay_over"
    title = Text("Nothing of this replay is left to be told", "该重放已无待推送的事件")
