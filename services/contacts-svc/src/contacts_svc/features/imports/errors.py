"""What can go wrong with imports besides their form."""

from crm_kit.errors import Conflict, Text


class ImportBusy(Conflict):
    """Its job has not ended."""

    code = "import_busy"
    title = Text("The import is under way", "导入正在进行")


class ImportDone(Conflict):
    """Its rows are taken in."""

    code = "import_done"
    title = Text("The import has been done", "导入已完成")


class NothingToRevert(Conflict):
    """It has taken nothing in, or that was taken back."""

    code = "nothing_to_revert"
    title = Text("There is nothing to revert", "没有可撤销的内容")


class ImportExpired(Conflict):
    """Its file, and what records were before, are forgotten."""

    code = "import_expired"
    title = Text("The import is too old", "导入已过期")
