"""What can go wrong with a cursor."""

from crm_kit.errors import MalformedRequest, Text


class CursorGone(MalformedRequest):
    """The events behind a cursor are kept no more; `earliest` is the oldest cursor that can be read from."""

    status = 410
    code = "cursor_gone"
    title = Text("The events behind this cursor are kept no more", "该游标之后的事件已不再保留")
    advice = Text(
        "Take a snapshot, which begins with the present state: `after=snapshot`; or go on from `earliest`.",
        "请使用 after=snapshot 从当前状态重新开始，或从 earliest 继续。",
    )


class InvalidEventCursor(MalformedRequest):
    code = "invalid_event_cursor"
    title = Text("This is no cursor of ours", "游标无效")
    advice = Text("Use the cursor of an event, `beginning` or `snapshot`.", "请使用事件的游标、beginning 或 snapshot。")
