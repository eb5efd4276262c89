"""What each grant comes to for one question. Pure."""

from collections.abc import Iterator, Sequence

from crm_contracts.sensitivity import ALWAYS_SHOWN, Classified, Sensitivity, classes_of
from crm_contracts.tenancy import Role, RoleGrant
from crm_kit.custom_fields import DeclaredFields, declared_of
from crm_kit.rights import CUSTOM, Action, Level, RecordRights
from crm_kit.rights.grants import ACCESSES, EVERY_RESOURCE, LEVELS, WRITING, Access

from gateway.features.access_check.schemas import Reason, Why
from gateway.features.roles.resources import MODEL_OF
from gateway.features.roles.schemas import ReadyRole


def class_of(resource: str, member: str, declared: DeclaredFields) -> Classified | None:
    """None of what is no member of the resource, and of what is shown with the record itself.

    A custom field is one by its name, as `custom.level`; what is not declared is as private as all of them were.
    """
    classes = classes_of(MODEL_OF[resource])
    whole, _, name = member.partition(".")
    if name and whole == CUSTOM and CUSTOM in classes:
        return declared_of(declared, resource).classes.get(name, classes[CUSTOM])
    return classes[member] if member in classes and member not in ALWAYS_SHOWN else None


def access_to(seen: RecordRights, done: RecordRights, action: Action, member: Classified) -> Access:
    """What is seen of a member, or `write` where the action may write it. Without a mask, masked is hidden."""
    if action in WRITING and member.sensitivity in done.written.get(action, ()):
        return "write"
    access = min(seen.seen[member.sensitivity], "read", key=ACCESSES.index)
    return "hidden" if access == "masked" and member.mask is None else access


def reasons(
    roles: Sequence[ReadyRole | Role],
    resource: str,
    action: Action,
    distance: Level | None,
    holding: frozenset[int] | None,
    sensitivity: Sensitivity | None,
) -> Iterator[Why]:
    """Of each grant of the resource. `distance`: how near the record is; None where it is out of reach of any grant.

    `holding`: which conditions hold, counted over these grants; None where no record is asked about.
    """
    conditions = 0
    for role in roles:
        for place, grant in enumerate(role.grants):
            if not {resource, EVERY_RESOURCE} & set(grant.resources):
                continue
            holds = holding is None or grant.where is None or conditions in holding
            conditions += grant.where is not None
            reason = _reason(grant, action, distance, holds, sensitivity)
            name = str(role.id) if isinstance(role, Role) else role.name
            yield Why(role=name, name=role.name, grant=place, grants=grant, reason=reason)


def _reason(
    grant: RoleGrant, action: Action, distance: Level | None, holds: bool, sensitivity: Sensitivity | None
) -> Reason:
    if action not in grant.actions:
        return "action_not_granted"
    if distance is None or LEVELS.index(grant.records) < LEVELS.index(distance):
        return "out_of_reach"
    if not holds:
        return "condition_does_not_hold"
    given = grant.fields.get(sensitivity, "hidden") if sensitivity is not None else "write"
    if action in WRITING and given != "write":
        return "member_not_writable"
    return "applies" if given in ("read", "write") else "member_not_shown"
