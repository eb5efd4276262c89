"""Holding a record against the rules of its tenant."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from crm_contracts.types import Entity
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.db.standing import Standing
from crm_kit.errors import Text, ValidationFailed

from contacts_svc.features.validating.rules import ActiveRule, broken_rules


class Validated(Protocol):
    """A row that holds all that conditions test."""

    def model_dump(self) -> dict[str, Any]: ...


async def refuse_broken(
    session: WriteSession,
    rules: Standing[Sequence[ActiveRule]],
    row: Validated,
    before: Entity | None,
    written: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """`row`: as it is about to be written; `before`: what it was. `written`: members that are judged as somebody wrote them, whatever
    the tenant's settings make of them. Raises ValidationFailed with every rule that it breaks.
    """
    standing = await session.standing(rules)
    if not standing:
        return
    was = before.model_dump() if before is not None else None
    faults = list(broken_rules(standing, {**row.model_dump(), **written}, was, now=utc_now()))
    if faults:
        raise ValidationFailed(
            Text(f"{len(faults)} rule(s) broken; see errors.", f"违反 {len(faults)} 条校验规则，见 errors。"),
            errors=faults,
        )
