"""What clients may write of an occurrence: nothing. It comes by itself."""

from crm_contracts.types import Input


class DateOccurrenceWrite(Input):
    pass
