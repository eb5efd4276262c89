"""Whether a lifecycle makes sense. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from crm_contracts.ids import LifecycleId
from crm_contracts.lifecycle import LifecycleStep
from crm_kit.errors import FieldError, Text

REPLACEMENT: Final = "lifecycle_replacement"
"""The timer that moves records out of the stages that are replaced, some at a time."""

BATCH: Final = 200
"""Records that one step of a replacement moves at most."""

_TWICE: Final = Text("Is there twice", "重复")
_UNKNOWN: Final = Text("There is no such stage", "不存在该阶段")
_GOING: Final = Text("Must be a stage that stays", "必须是保留的阶段")


def lifecycle_id(tenant_id: str) -> LifecycleId:
    """A tenant has one lifecycle, also before it has changed it: its id follows from the tenant's."""
    return LifecycleId(f"{LifecycleId.prefix}_{tenant_id.rpartition('_')[2]}")


def faults_of(initial: str, stages: Sequence[LifecycleStep]) -> Iterator[FieldError]:
    """What is wrong with stages beyond their form."""
    names = [stage.name for stage in stages]
    staying = {stage.name for stage in stages if stage.replaced_by is None}
    if initial not in staying:
        yield FieldError("/initial", "unknown_stage", _GOING if initial in names else _UNKNOWN)
    for place, stage in enumerate(stages):
        pointer = f"/stages/{place}"
        if stage.name in names[:place]:
            yield FieldError(f"{pointer}/name", "repeated", _TWICE)
        for number, name in enumerate(stage.transitions_to or ()):
            if name not in names:
                yield FieldError(f"{pointer}/transitions_to/{number}", "unknown_stage", _UNKNOWN)
        if stage.replaced_by is not None and stage.replaced_by not in staying:
            told = _GOING if stage.replaced_by in names else _UNKNOWN
            yield FieldError(f"{pointer}/replaced_by", "unknown_stage", told)
        values = [reason.value for reason in stage.reasons]
        for number, value in enumerate(values):
            if value in values[:number]:
                yield FieldError(f"{pointer}/reasons/{number}/value", "repeated", _TWICE)


def without(stages: Sequence[LifecycleStep], gone: str) -> list[LifecycleStep]:
    """The stages when one of them has gone; none leads there any more."""
    return [
        stage.model_copy(
            update={
                "transitions_to": [name for name in stage.transitions_to if name != gone]
                if stage.transitions_to is not None
                else None
            }
        )
        for stage in stages
        if stage.name != gone
    ]
