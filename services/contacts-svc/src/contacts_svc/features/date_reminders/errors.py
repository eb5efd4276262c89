"""What can go wrong with reminders besides their form."""

from crm_kit.errors import Conflict, Text


class TooManyDateReminders(Conflict):
    """As many are there as a tenant may have."""

    code = "too_many_date_reminders"
    title = Text("There are too many date reminders", "日期提醒过多")
    advice = Text("Delete those that are no longer needed.", "请删除不再需要的提醒。")
