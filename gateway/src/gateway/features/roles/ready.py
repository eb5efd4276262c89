"""The roles that every tenant has. They come with the release, so that they cover what it brings. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from crm_contracts.sensitivity import SENSITIVITIES
from crm_contracts.tenancy import Records, RoleGrant
from crm_kit.rights.grants import ACTIONS

from gateway.features.roles.schemas import ReadyRole

_EVERY_ACTION: Final[list[str]] = [*ACTIONS]
_EDIT: Final = ["read", "create", "update"]
_READ: Final = ["read"]
_CUSTOMERS: Final = [
    "customers",
    "contacts",
    "accounts",
    "relationships",
    "date-occurrences",
    "activities",
    "consents",
    "merges",
    "duplicates",
]
_SALES: Final = ["deals", "orders"]
_BILLING: Final = ["invoices", "payments"]
_MARKETING: Final = ["segments", "templates", "campaigns", "messages"]
_RULES: Final = [
    "territories",
    "custom-fields",
    "tag-rules",
    "validation-rules",
    "webhook-endpoints",
    "lifecycle",
    "pools",
    "consent-purposes",
    "date-reminders",
]
_SETTINGS: Final = ["pipelines", *_RULES, "users", "teams", "roles"]

_ALL_FIELDS: Final[Mapping[str, str]] = dict.fromkeys(SENSITIVITIES, "write")
_UNCLAIMED: Final = {
    "all": [
        {"field": "pool_id", "op": "exists"},
        {"not": {"field": "owner_id", "op": "exists"}},
    ]
}
_ORGANISATION: Final[Mapping[str, str]] = {"open": "write", "personal": "masked"}


def _grant(
    resources: list[str],
    actions: list[str],
    records: Records,
    fields: Mapping[str, str],
    where: Mapping[str, Any] | None = None,
) -> RoleGrant:
    condition = dict(where) if where is not None else None
    return RoleGrant(resources=resources, actions=actions, records=records, fields=dict(fields), where=condition)


def _role(name: str, description: str, *grants: RoleGrant, admin: bool = False) -> ReadyRole:
    return ReadyRole(name=name, description=description, admin=admin, grants=list(grants))


READY: Final[Mapping[str, ReadyRole]] = {
    role.name: role
    for role in (
        _role("owner", "Everything", _grant(["*"], _EVERY_ACTION, "all", _ALL_FIELDS), admin=True),
        _role(
            "admin",
            "Users, teams, roles, keys, territories, fields and rules, lifecycle, pools, reminders; customers masked, without amounts",
            _grant(["*"], _READ, "all", _ORGANISATION),
            _grant(_RULES, [*_EDIT, "delete"], "all", _ORGANISATION),
            admin=True,
        ),
        _role(
            "sales_manager",
            "The teams' customers and sales, and handing them on",
            _grant([*_CUSTOMERS, *_SALES], _EVERY_ACTION, "team", _ALL_FIELDS),
            _grant(["claims"], _EDIT, "team", _ALL_FIELDS),
            _grant(["imports", "jobs", "transfers", "duplicate-scans"], _EDIT, "own", _ALL_FIELDS),
            _grant(["bulk-changes"], [*_EDIT, "delete"], "own", _ALL_FIELDS),
            _grant(["exports"], ["read", "export", "delete"], "own", _ALL_FIELDS),
            _grant(_BILLING, _EVERY_ACTION, "team", _ALL_FIELDS),
            _grant(["products"], [*_EDIT, "delete"], "all", _ALL_FIELDS),
            _grant(["tickets", "messages"], _READ, "team", {"open": "read", "personal": "read", "commercial": "read"}),
            _grant(_SETTINGS, _READ, "all", {"open": "read"}),
        ),
        _role(
            "sales",
            "One's own customers and sales, and what these have paid",
            _grant([*_CUSTOMERS, *_SALES], _EDIT, "own", _ALL_FIELDS),
            _grant(
                _BILLING, _READ, "own", {"open": "read", "personal": "read", "commercial": "read", "private": "read"}
            ),
            _grant(["products"], _READ, "all", {"open": "read", "commercial": "read"}),
            _grant(["tickets", "messages"], _READ, "own", {"open": "read", "personal": "read", "commercial": "read"}),
            _grant(_SETTINGS, _READ, "all", {"open": "read"}),
        ),
        _role(
            "pool",
            "Beside another role: contacts that nobody has claimed, masked, and claiming them",
            _grant(["contacts"], _READ, "all", {"open": "read", "personal": "masked"}, _UNCLAIMED),
            _grant(["customers"], _READ, "own", {"open": "read"}),
            _grant(["claims"], _EDIT, "own", {"open": "write"}),
            _grant(["pools"], _READ, "all", {"open": "read"}),
        ),
        _role(
            "privacy_officer",
            "Every person's data: given out, erased or locked away when they ask for it; how long it is kept, and what is held",
            _grant(["contacts"], [*_READ, "update", "delete"], "all", _ALL_FIELDS),
            _grant(["activities"], [*_READ, "delete"], "all", _ALL_FIELDS),
            _grant(["retention-rules"], [*_EDIT, "delete"], "all", _ALL_FIELDS),
            _grant(["legal-holds"], _EDIT, "all", _ALL_FIELDS),
            _grant(["consents"], [*_READ, "create"], "all", _ALL_FIELDS),
            _grant(["consent-purposes"], [*_EDIT, "delete"], "all", _ALL_FIELDS),
            _grant(["privacy-requests"], [*_READ, "create", "update"], "all", _ALL_FIELDS),
            _grant(["jobs"], _READ, "own", {"open": "read"}),
        ),
        _role(
            "support_agent",
            "Every customer, with their orders, invoices and payments; tickets in full",
            _grant(_CUSTOMERS, _EDIT, "all", {"open": "write", "personal": "write", "commercial": "write"}),
            _grant(["tickets"], [*_EDIT, "delete", "assign"], "all", _ALL_FIELDS),
            _grant(["imports", "jobs", "transfers", "duplicate-scans"], _EDIT, "own", _ALL_FIELDS),
            _grant(["bulk-changes"], [*_EDIT, "delete"], "own", _ALL_FIELDS),
            _grant(["orders", *_BILLING, "products"], _READ, "all", {"open": "read", "commercial": "read"}),
            _grant(["messages"], _READ, "all", {"open": "read", "personal": "read"}),
            _grant(_SETTINGS, _READ, "all", {"open": "read"}),
        ),
        _role(
            "marketer",
            "Campaigns in full; customers without amounts",
            _grant(_CUSTOMERS, _READ, "all", {"open": "read", "personal": "read"}),
            _grant(_MARKETING, [*_EDIT, "delete"], "all", _ALL_FIELDS),
            _grant(_SETTINGS, _READ, "all", {"open": "read"}),
        ),
        _role(
            "analyst",
            "Everything for reading, persons masked",
            _grant(["*"], [*_READ, "export"], "all", {"open": "read", "personal": "masked", "commercial": "read"}),
        ),
        _role(
            "integration",
            "For systems: every record in full, no administration",
            _grant(["*"], _EVERY_ACTION, "all", _ALL_FIELDS),
        ),
        _role(
            "auditor",
            "Everything for reading, the audit log too; persons and amounts masked",
            _grant(["*"], _READ, "all", {"open": "read", "personal": "masked", "commercial": "masked"}),
            _grant(["audit-log"], _READ, "all", {"open": "read"}),
        ),
    )
}
"""By name, which is how users and keys have them."""
