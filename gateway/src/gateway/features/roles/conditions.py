"""Conditions of grants: over the fields of each resource that its documents tell of."""

from collections.abc import Iterator, Sequence
from typing import Final

from crm_kit.conditions import InvalidCondition, parse
from crm_kit.custom_fields import DeclaredFields
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.resources.listing import condition_problem

from gateway.documents.fields import fields_of, published_fields
from gateway.features.roles.schemas import GrantWrite

_NO_CONDITIONS: Final = Text("Grants of this resource take no condition", "此资源的授权不支持条件")


def check_conditions(grants: Sequence[GrantWrite], declared: DeclaredFields) -> None:
    """Raises ValidationFailed with every fault of the grants' conditions; `declared`: the tenant's custom fields."""
    faults = [fault for place, grant in enumerate(grants) for fault in _faults(grant, f"/grants/{place}", declared)]
    if faults:
        raise ValidationFailed(
            Text("Some conditions are not valid; see errors.", "条件无效，见 errors。"), errors=faults
        )


def _faults(grant: GrantWrite, pointer: str, declared: DeclaredFields) -> Iterator[FieldError]:
    if grant.where is None:
        return
    for place, resource in enumerate(grant.resources):
        if not published_fields(resource):
            yield FieldError(f"{pointer}/resources/{place}", "no_conditions", _NO_CONDITIONS)
            continue
        try:
            parse(grant.where, fields_of(resource, declared), f"{pointer}/where")
        except InvalidCondition as error:
            yield from condition_problem(error).errors
