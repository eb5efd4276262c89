"""Names and bounds that territories share."""

from typing import Final

EVALUATION: Final = "territory_evaluation"
"""The timer that holds a tenant's records against its territories, some at a time."""

BATCH: Final = 200
"""Records that one step of an evaluation changes at most."""

WINDOW: Final = 2000
"""Records that one step looks at, so that its statements end soon however many records there are."""

MAX_ACTIVE: Final = 200
"""Active territories of a resource: every write tries them, and one statement of an evaluation names them all."""
