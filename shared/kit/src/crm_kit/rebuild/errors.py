"""Why a rebuild ends, or tries again."""


class RebuildFailed(Exception):
    """The rebuild cannot be done; one sentence says why and what to do. The live projection is as it was."""


class NotYet(Exception):
    """The switch is not possible at this moment: try again a little later."""
