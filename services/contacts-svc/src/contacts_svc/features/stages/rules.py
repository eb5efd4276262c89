"""Into which stage a record may come, and what is kept of it. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from crm_contracts.contacts import LifecycleChange
from crm_contracts.custom_fields import LocalText
from crm_contracts.lifecycle import LifecycleStep
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.messages import message

from contacts_svc.features.stages.errors import StageOutOfReach

MAX_HISTORY: Final = 30
"""Changes of its stage that a record shows; the newest. It stands in each of the record's events."""

USUAL_INITIAL: Final = "lead"
_LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "subscriber": ("Subscriber", "订阅者"),
    "lead": ("Lead", "线索"),
    "qualified": ("Qualified", "意向客户"),
    "customer": ("Customer", "客户"),
    "loyal": ("Loyal customer", "忠诚客户"),
    "lapsed": ("Lapsed", "流失客户"),
}
_ALSO: Final[Mapping[str, str]] = {"潜在客户": "lead", "成交客户": "customer"}
"""What the usual stages are called too."""

USUAL: Final = tuple(
    LifecycleStep(
        name=name,
        label=LocalText(en=en, zh=zh),
        transitions_to=None,
        reason_required=False,
        reasons=[],
        replaced_by=None,
    )
    for name, (en, zh) in _LABELS.items()
)
"""What a tenant has that has changed nothing."""


class Staged(Protocol):
    """A row that is in a stage; of a new one `lifecycle_stage` is not looked at."""

    lifecycle_stage: str
    lifecycle_reason: str | None
    lifecycle_changed_at: datetime | None
    lifecycle_history: list[dict[str, Any]]


class Stages:
    """A tenant's lifecycle, for the records that are held against it."""

    def __init__(self, initial: str, steps: tuple[LifecycleStep, ...]) -> None:
        self.initial = initial
        self.steps: Mapping[str, LifecycleStep] = {step.name: step for step in steps}

    def spelled(self, text: str) -> str:
        """The name of the stage that is called so in either language; else the text in lower case."""
        folded = text.casefold()
        labelled = {
            label.casefold(): step.name
            for step in self.steps.values()
            for label in (step.label.en, step.label.zh)
            if label is not None
        }
        return labelled.get(folded) or _ALSO.get(folded, folded)

    def start(self, row: Staged, wanted: str | None, reason: str | None) -> None:
        """A new record may start in any stage: much comes from systems in which it went through the others.

        Raises ValidationFailed.
        """
        step = self._open(wanted or self.initial)
        _check_reason(step, reason)
        row.lifecycle_stage, row.lifecycle_reason = step.name, reason

    def move(self, row: Staged, wanted: str | None, reason: str | None, *, now: datetime, actor_id: str | None) -> bool:
        """Whether the record came into another stage. In the stage already: a new reason mends the one that was given.

        Raises ValidationFailed, StageOutOfReach.
        """
        name = wanted or self.initial
        present = self.steps.get(row.lifecycle_stage)
        if name == row.lifecycle_stage:
            if reason not in (None, row.lifecycle_reason):
                _check_reason(present, reason)
                _mend(row, reason)
            return False
        step = self._open(name)
        if present is not None and present.transitions_to is not None and name not in present.transitions_to:
            allowed = ", ".join(present.transitions_to)
            raise StageOutOfReach(
                Text(
                    f"From {present.name} a record goes to {allowed or 'no other stage'}.",
                    f"从 {present.name} 可转入：{allowed or '无'}。",
                ),
                members={"stage": present.name, "allowed": present.transitions_to},
            )
        if step.reason_required and reason is None:
            told = message("missing")
            raise ValidationFailed(
                Text(
                    f"Say why it becomes {name}: lifecycle_reason.", f"请用 lifecycle_reason 说明转入 {name} 的原因。"
                ),
                errors=[FieldError("/lifecycle_reason", "required", told)],
            )
        _check_reason(step, reason)
        put(row, name, reason, now=now, actor_id=actor_id)
        return True

    def standing_for(self, name: str | None) -> str:
        """The stage that a record of `name` is in by now: what replaced it, or the initial one where it is gone."""
        step = self.steps.get(name) if name is not None else None
        if step is None:
            return self.initial
        return step.replaced_by or step.name

    def _open(self, name: str) -> LifecycleStep:
        """The stage, if records can come into it. Raises ValidationFailed."""
        step = self.steps.get(name)
        if step is None or step.replaced_by is not None:
            names = ", ".join(each.name for each in self.steps.values() if each.replaced_by is None)
            told = Text(f"Must be one of the stages: {names}", f"必须是以下阶段之一：{names}")
            raise ValidationFailed(told, errors=[FieldError("/lifecycle_stage", "unknown_stage", told)])
        return step


def put(row: Staged, name: str, reason: str | None, *, now: datetime, actor_id: str | None) -> None:
    """Into a stage, whatever leads there. Each change is later than the one before, whatever the clocks say."""
    history = [LifecycleChange.model_validate(each) for each in row.lifecycle_history]
    at = max(now, history[-1].at + timedelta(microseconds=1)) if history else now
    change = LifecycleChange(stage=name, from_stage=row.lifecycle_stage, reason=reason, at=at, actor_id=actor_id)
    _write(row, [*history, change][-MAX_HISTORY:])
    row.lifecycle_stage, row.lifecycle_reason, row.lifecycle_changed_at = name, reason, at


def _mend(row: Staged, reason: str | None) -> None:
    row.lifecycle_reason = reason
    if row.lifecycle_history:
        history = [LifecycleChange.model_validate(each) for each in row.lifecycle_history]
        _write(row, [*history[:-1], history[-1].model_copy(update={"reason": reason})])


def _write(row: Staged, history: list[LifecycleChange]) -> None:
    row.lifecycle_history = [change.model_dump(mode="json") for change in history]


def _check_reason(step: LifecycleStep | None, reason: str | None) -> None:
    """Raises ValidationFailed."""
    values = [each.value for each in step.reasons] if step is not None else []
    if reason is not None and values and reason not in values:
        told = Text(f"Must be one of {', '.join(values)}", f"必须是以下值之一：{'、'.join(values)}")
        raise ValidationFailed(told, errors=[FieldError("/lifecycle_reason", "unknown_reason", told)])


USUAL_STAGES: Final = Stages(USUAL_INITIAL, USUAL)
