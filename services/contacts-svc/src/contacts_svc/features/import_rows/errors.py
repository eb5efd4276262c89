"""Why a row is not taken in, besides its form."""

from crm_kit.errors import Conflict, Text


class SeveralMatch(Conflict):
    """It could be any of the `candidates`."""

    code = "several_match"
    title = Text("Several records match", "匹配到多个对象")
