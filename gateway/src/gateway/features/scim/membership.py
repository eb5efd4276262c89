"""A PATCH of a group. Its members are a set of ids here: a team may have thousands, and a request name as many. Pure."""

from __future__ import annotations  # the library builds a model for each that an annotation names, in 50 ms

from collections.abc import Mapping
from typing import Any, Final

from scim2_models import PatchOp, PatchOperation
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator, ScimFilter

from gateway.features.scim.errors import refused
from gateway.features.scim.schemas import POLICY, GroupState, WrittenMember

Operation = PatchOperation[Any]

_MAX_TESTS: Final = 10_000
"""Members that one request may look at with filters other than `value eq`: each look takes tens of microseconds."""


def patched_group(
    state: GroupState, present: Mapping[str, str], patch: PatchOp[GroupState]
) -> tuple[GroupState, set[str]]:
    """The group and the ids of its members afterwards. `state` is without members; `present` has their names by id.

    Who joins by an operation has no name for a filter of a later one.

    Raises ScimRefused, and what the library raises.
    """
    members, others = _Members(present), []
    for operation in patch.operations or []:
        about_members, rest = _split(operation)
        if about_members is not None:
            members.apply(about_members)
        if rest is not None:
            others.append(rest)
    if others:
        PatchOp[GroupState].model_construct(operations=others).patch(state, scim_policy=POLICY)
    return state, members.ids


def ids_of(value: object) -> set[str]:
    """The users whom a value of `members` names. Raises ScimRefused."""
    found = set()
    for entry in value if isinstance(value, list) else [value]:
        named = {name.lower(): each for name, each in entry.items()} if isinstance(entry, dict) else {}
        user_id, kind = named.get("value"), named.get("type")
        if not isinstance(user_id, str) or not user_id:
            raise refused("invalidValue", "each of members is an object with a user's id as value")
        if isinstance(kind, str) and kind.lower() not in ("", "user"):
            raise refused("invalidValue", f"{kind[:50]!r} is no member of a group here: users alone are")
        found.add(user_id)
    return found


def _split(operation: Operation) -> tuple[Operation | None, Operation | None]:
    """The part of an operation that is about members, and the rest."""
    if operation.path is not None:
        binding = operation.path.resolve()
        about = binding is not None and binding.field_name == "members"
        return (operation, None) if about else (None, operation)
    if not isinstance(operation.value, dict):
        return None, operation
    found = {name: value for name, value in operation.value.items() if _is_members(name)}
    if not found:
        return None, operation
    [*_, value] = found.values()
    rest = {name: each for name, each in operation.value.items() if name not in found}
    # Without a path `remove` is refused before it comes here.
    return (
        Operation.model_construct(op=operation.op, path=None, value=value),
        operation.model_copy(update={"value": rest}) if rest else None,
    )


def _is_members(name: str) -> bool:
    return name.rpartition(":")[2].lower() == "members"


class _Members:
    def __init__(self, present: Mapping[str, str]) -> None:
        self.ids = set(present)
        self._names = present
        self._tests = 0

    def apply(self, operation: Operation) -> None:
        path = operation.path
        binding = path.resolve() if path is not None else None
        if binding is not None and binding.sub_field_name == "display":
            return  # which shows a name and is none
        if binding is not None and binding.sub_field_name is not None:
            raise refused("mutability", "a member is added and removed as a whole")
        selected = path.value_filter if path is not None else None
        match operation.op:
            case PatchOperation.Op.remove if selected is not None:
                self.ids -= self._selected(selected)
            case PatchOperation.Op.remove:
                self.ids = set() if operation.value is None else self.ids - ids_of(operation.value)
            case _ if selected is not None:
                raise refused("mutability", "a member is added and removed as a whole")
            case PatchOperation.Op.add:
                self.ids |= ids_of(operation.value)
            case _:
                self.ids = set() if operation.value is None else ids_of(operation.value)

    def _selected(self, node: FilterNode) -> set[str]:
        named = _named(node)
        if named is not None:
            return named
        self._tests += len(self.ids)
        if self._tests > _MAX_TESTS:
            raise refused("tooMany", 'select members by value eq "…", or fewer at once')
        wanted = ScimFilter[GroupState](f"members[{node}]")
        with POLICY:
            return {user_id for user_id in self.ids if wanted.match(GroupState(members=[self._member(user_id)]))}

    def _member(self, user_id: str) -> WrittenMember:
        return WrittenMember(value=user_id, type="User", display=self._names.get(user_id))


def _named(node: FilterNode) -> set[str] | None:
    """The ids that `value eq "…" or value eq "…"` names; None for any other filter."""
    match node:
        case LogicalExpr(op=LogicalOperator.or_, terms=terms):
            found = [_named(term) for term in terms]
            return None if None in found else set().union(*(each for each in found if each is not None))
        case Comparison(op=CompareOperator.eq, value=str(value), attr_path=path):
            return {value} if path.uri is None and path.sub_attr is None and path.attr.lower() == "value" else None
        case _:
            return None
