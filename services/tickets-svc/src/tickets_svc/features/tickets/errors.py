"""What can go wrong with tickets besides their form."""

from crm_kit.errors import Conflict, Text


class TransitionRefused(Conflict):
    """The status cannot become that one; `allowed` names those that it can become."""

    code = "ticket_transition_refused"
    title = Text("The ticket cannot get this status", "工单不能变为该状态")


class TicketClosed(Conflict):
    """A closed ticket is neither reopened nor written on."""

    code = "ticket_closed"
    title = Text("The ticket is closed", "工单已关闭")


class TicketFull(Conflict):
    """The ticket has as many messages as one can have."""

    code = "ticket_full"
    title = Text("The ticket takes no more messages", "工单消息数已达上限")


def open_a_new_one() -> TicketClosed:
    return TicketClosed(
        Text("A closed ticket stays closed; open a new ticket.", "已关闭的工单不能再继续，请新建工单。"),
        members={"current_status": "closed"},
    )
