"""What clients write of a sync conflict: nothing, they come of deliveries."""

from crm_contracts.types import Input


class SyncConflictWrite(Input):
    pass
