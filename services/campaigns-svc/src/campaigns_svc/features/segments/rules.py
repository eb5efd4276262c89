"""Names that segments share."""

from typing import Final

MEMBERS_REMOVAL: Final = "segment_members_removal"
"""The timer that removes the members of a deleted segment, a batch at a time."""

BATCH: Final = 200
