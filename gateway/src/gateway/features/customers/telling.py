"""What the audit log is told of who is shown a customer: which kinds of members in clear. Pure."""

from typing import Final

from crm_kit.audit.reads import SENSITIVE, Read

from gateway.features.customers.entities import Json
from gateway.features.customers.redaction import standing_of
from gateway.features.customers.sight import OF_KIND, Sight, Standing

_ALL: Final = frozenset(SENSITIVE)


def read_of_all(customer_id: str) -> Read:
    """By who sees everything, and is taken to see whatever is there."""
    return Read(customer_id, _ALL)


def read_of(sight: Sight | None, kind: str, customer_id: str, at: Standing) -> Read:
    """Of a customer who lies so to the caller."""
    if sight is None:
        return read_of_all(customer_id)
    rights = sight.rights(OF_KIND[kind][0], at)
    return Read(customer_id, frozenset(each for each in SENSITIVE if rights.reads(each)))


def read_of_view(sight: Sight, view: Json) -> Read:
    return read_of(sight, view["kind"], view["id"], standing_of(sight, view))
