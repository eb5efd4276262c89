"""What can go wrong with scans."""

from crm_kit.errors import Conflict, Text


class ScanRunning(Conflict):
    """Another scan of this tenant is under way; `scan_id` names it."""

    code = "scan_running"
    title = Text("A scan is under way", "正在扫描")
    advice = Text("Wait for its end, or cancel its job.", "请等待其结束，或取消该任务。")
