"""A bounded memory of views as restricted callers see them, so that a view that is read again is redacted once."""

from collections import OrderedDict
from datetime import datetime
from typing import Final, NamedTuple

import orjson
from crm_kit.audit.reads import Read
from crm_kit.custom_fields import DeclaredFields
from crm_kit.http.principal import Principal

from gateway.features.customers.redaction import redact
from gateway.features.customers.sight import Sight
from gateway.features.customers.telling import read_of_view

_SIZE: Final = 256
"""Views; with what they were made of some 50 kB each."""

_Key = tuple[object, ...]


class Shown(NamedTuple):
    """What a caller sees of a view: nothing, where `doc` is None; and the reading that is to be told of."""

    doc: bytes | None
    read: Read


class _Kept(NamedTuple):
    doc: bytes
    declared: DeclaredFields
    shown: Shown
    until: datetime | None


class RedactedViews:
    """What is kept counts for the very bytes it was made of, for equal scopes, rights and declarations of custom fields, until
    a share of them ends.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()

    def shown(self, principal: Principal, sight: Sight, customer_id: str, doc: bytes) -> Shown:
        """The view as the caller sees it."""
        kept = self.kept(principal, customer_id, doc, sight.now, sight.declared)
        if kept is not None:
            return kept
        view = orjson.loads(doc)
        seen = redact(sight, view)
        shown = Shown(orjson.dumps(seen) if seen is not None else None, read_of_view(sight, view))
        key = _key(principal, customer_id)
        self._kept[key] = _Kept(doc, sight.declared, shown, sight.changes_at)
        self._kept.move_to_end(key)
        if len(self._kept) > _SIZE:
            self._kept.popitem(last=False)
        return shown

    def kept(
        self, principal: Principal, customer_id: str, doc: bytes, now: datetime, declared: DeclaredFields
    ) -> Shown | None:
        """The same where it is remembered."""
        kept = self._kept.get(_key(principal, customer_id))
        if kept is None or kept.doc != doc or kept.declared != declared:
            return None
        return kept.shown if kept.until is None or kept.until > now else None

    @property
    def remembered(self) -> int:
        """Views remembered."""
        return len(self._kept)


def _key(principal: Principal, customer_id: str) -> _Key:
    rights = principal.rights
    return (principal.tenant_id, customer_id, principal.scopes, rights, rights.colleagues if rights else None)
