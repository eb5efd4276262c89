"""Why a request is allowed or refused, told in a header to who asks for it. Pure.

It speaks of the caller's own rights alone, never of whether a record is there: `POST /v1/access/check` is for that.
"""

import json
from typing import Any, Final

from crm_kit.http.principal import Principal, scope_of

HEADER: Final = "Relata-Explain"
ASKED_BY: Final = "rights"
"""The value with which a request asks for it."""

_MAX_LENGTH: Final = 4000


def explanation(principal: Principal, permission: str) -> str:
    """JSON in ASCII: the permission, the scope that lacks it, and the caller's grants that give it.

    `more` counts grants that were left out to keep the header short; without rights of their own, `grants` is null.
    """
    scope = scope_of(permission)
    resource, _, action = permission.rpartition(":")
    told: dict[str, Any] = {"permission": permission, "allowed": principal.may(permission)}
    if not principal.holds(scope):
        told["missing_scope"] = scope
    rights = principal.rights
    grants = None
    if rights is not None:
        grants = [
            {"actions": sorted(grant.actions), "records": grant.level, "fields": dict(grant.fields)}
            | ({"where": grant.where} if grant.where is not None else {})
            for grant in rights.grants
            if grant.covers(resource) and (action in grant.actions or action == "write")
        ]
        told["admin"] = rights.admin
    return _shortened(told, grants)


def _shortened(told: dict[str, Any], grants: list[dict[str, Any]] | None) -> str:
    text = json.dumps({**told, "grants": grants}, separators=(",", ":"))
    left = 0
    while grants and len(text) > _MAX_LENGTH:
        grants, left = grants[:-1], left + 1
        text = json.dumps({**told, "grants": grants, "more": left}, separators=(",", ":"))
    return text
