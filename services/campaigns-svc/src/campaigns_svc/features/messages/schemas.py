"""Messages are not written by clients: what the kit asks for a resource, empty."""

from crm_contracts.types import Input


class MessageWrite(Input):
    """Nothing of a message can be written."""
