"""What drift is: an entity whose copy says something else than its service, or a view that is not made of the copies."""

from dataclasses import dataclass
from typing import Literal, get_args

from crm_kit.states.schemas import EntityState

EntityDrift = Literal["missing", "behind", "altered", "ahead", "deleted", "ghost"]
"""missing: no copy. behind, ahead: the copy's version is lower, higher. altered: it says something else under the same
version, or what is derived from it is wrong. deleted: here, and alive there. ghost: the service has no such entity."""

ViewDrift = Literal["view_missing", "view_wrong", "view_ghost", "unexplained"]
"""The copies are right, but there is no view of them, or another one; or one of nobody. unexplained: copies and view are
right, and what the services tell at once still differs: copies and services do not follow the same rules."""

DriftKind = EntityDrift | ViewDrift
KINDS: tuple[DriftKind, ...] = (*get_args(EntityDrift), *get_args(ViewDrift))


@dataclass(frozen=True, slots=True)
class Copy:
    """The gateway's copy of an entity. `intact`: columns and timeline entries are those that follow from its data."""

    id: str
    version: int
    deleted: bool
    digest: str
    intact: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """Drift that is certain. `subject` is the entity's id, or the customer's where it is in the view.

    `detail` holds versions and names, no personal data. `repaired`: None where nobody tried.
    """

    tenant_id: str
    customer_id: str
    subject: str
    kind: DriftKind
    detail: str = ""
    repaired: bool | None = None


def drift_of(state: EntityState | None, copy: Copy | None) -> EntityDrift | None:
    """What is wrong with a copy, given that it should know this state; no state: the service has no such entity."""
    if state is None:
        return "ghost" if copy is not None and not (copy.deleted and copy.intact) else None
    if copy is None:
        return "missing"
    if copy.deleted:
        return "deleted"
    if copy.version != state.version:
        return "behind" if copy.version < state.version else "ahead"
    return None if copy.digest == state.digest and copy.intact else "altered"


def told(state: EntityState | None, copy: Copy | None) -> str:
    """The versions on both sides."""
    there = f"version {state.version}" if state else "none"
    here = "none" if copy is None else f"version {copy.version}{', deleted' if copy.deleted else ''}"
    return f"service: {there}; copy: {here}"
