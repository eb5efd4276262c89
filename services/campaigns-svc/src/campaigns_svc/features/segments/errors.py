"""What can go wrong with segments besides their form."""

from crm_kit.errors import Conflict, Text


class SegmentInUse(Conflict):
    """A campaign that has yet to end sends to this segment; `campaign_id` names it."""

    code = "segment_in_use"
    title = Text("A campaign is sending to this segment", "有营销活动正在使用该细分")
