"""What can go wrong with exports besides their form."""

from crm_kit.errors import Conflict, Text


class ExportBusy(Conflict):
    """Its job has not ended."""

    code = "export_busy"
    title = Text("The export is under way", "导出正在进行")


class NoExportFile(Conflict):
    """It failed, was cancelled, or its time is over."""

    code = "no_export_file"
    title = Text("The export has no file", "导出没有文件")
