"""What can be done with the lifecycle, and what follows from it for records."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from crm_contracts.ids import moment_of
from crm_contracts.lifecycle import Lifecycle, LifecycleStep
from crm_kit import context
from crm_kit.db.models import utc_now
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.timers import set_timer

from contacts_svc.features.assignment.repository import standing_territories
from contacts_svc.features.assignment.rules import follow
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.repository import TAG_RULES
from contacts_svc.features.lifecycle import repository
from contacts_svc.features.lifecycle.errors import LifecycleStageInUse
from contacts_svc.features.lifecycle.events import LIFECYCLE_EVENTS
from contacts_svc.features.lifecycle.rules import REPLACEMENT, faults_of, lifecycle_id, without
from contacts_svc.features.lifecycle.schemas import LifecycleWrite
from contacts_svc.features.stages.models import LifecycleRow
from contacts_svc.features.stages.repository import STAGES, lock_lifecycle
from contacts_svc.features.stages.rules import USUAL, USUAL_INITIAL, put
from contacts_svc.features.tagging.usecases import keep_tagged
from contacts_svc.features.territories.usecases import ASSIGNED

_AT_ONCE, _IN_A_MOMENT = timedelta(0), timedelta(seconds=0.2)
_REPLACED: Final = "stage_replaced"
"""The reason of a record that went with its stage."""


async def present_lifecycle(session: ReadSession) -> Lifecycle:
    """The tenant's own, or the one that every tenant has."""
    row = await repository.lifecycle(session)
    return LIFECYCLE_EVENTS.snapshot(row if row is not None else _usual(session.tenant_id))


async def begin_change(session: WriteSession) -> str:
    """Holds every record where it is until the transaction ends; the id of the lifecycle, which is there from now on."""
    # The timer first: a step of a replacement that runs just now holds it, and waits for nothing that is held here.
    await set_timer(session, REPLACEMENT, "", await session.now())
    await lock_lifecycle(session)
    row = await repository.lifecycle(session)
    if row is None:
        row = _usual(session.tenant_id)
        await LIFECYCLE_EVENTS.created(session, row)
    return row.id


async def update_lifecycle(session: WriteSession, row: LifecycleRow, data: LifecycleWrite, _caller: Principal) -> None:
    """Counts from the answer on; records in a stage that leads nowhere any more stay there.

    Raises ValidationFailed, LifecycleStageInUse.
    """
    before = LIFECYCLE_EVENTS.snapshot(row)
    stages = [LifecycleStep.model_validate(stage.model_dump()) for stage in data.stages]
    faults = list(faults_of(data.initial, stages))
    if faults:
        raise ValidationFailed(Text("The stages are not valid; see errors.", "阶段无效，见 errors。"), errors=faults)
    names = {stage.name for stage in stages}
    gone = [stage.name for stage in before.stages if stage.name not in names]
    used = [name for name in gone if await repository.is_used(session, name)]
    if used:
        raise LifecycleStageInUse(
            Text(
                f"Records are in {', '.join(used)}: GET /v1/contacts?lifecycle_stage={used[0]} lists contacts.",
                f"以下阶段仍有记录：{'、'.join(used)}；GET /v1/contacts?lifecycle_stage={used[0]} 可列出联系人。",
            ),
            members={"stages": used},
        )
    row.initial, row.stages = data.initial, _spelled(stages)
    await LIFECYCLE_EVENTS.updated(session, row, before)


async def replace_some(session: WriteSession) -> timedelta | None:
    """Moves some records out of a stage that is replaced, or takes the stage away when none is left in it.

    The pause before the next step; None where no stage is replaced.
    """
    row = await repository.lifecycle(session)
    replaced = {stage.name: stage.replaced_by for stage in _stages(row) if stage.replaced_by is not None}
    for stage, by in replaced.items():
        if await repository.is_used(session, stage):
            return _AT_ONCE if await _move_some(session, stage, by) else _IN_A_MOMENT
        await lock_lifecycle(session)
        if not await repository.is_used(session, stage):  # by who was writing then
            await _take_away(session, stage)
        return _AT_ONCE
    return None


async def _move_some(session: WriteSession, stage: str, by: str) -> bool:
    """Whether there were any that nobody else has locked."""
    here = context.current()
    for resource, assigned in ASSIGNED.items():
        rows = await repository.lock_some(session, assigned.row, stage)
        territories = standing_territories(resource, assigned.row, assigned.fields)
        await session.hold(STAGES, TAG_RULES, territories)
        now = utc_now()
        for row in rows:
            before = assigned.events.snapshot(row)
            put(row, by, _REPLACED, now=now, actor_id=here.actor_id if here else None)
            if isinstance(row, ContactRow):
                await keep_tagged(session, TAG_RULES, row, before, now=now)
            follow(row, await session.standing(territories), now=now)
            await assigned.events.updated(session, row, before, action="lifecycle_changed")
        if rows:
            return True
    return False


async def _take_away(session: WriteSession, stage: str) -> None:
    """No change of the lifecycle lies between: it waits for the timer that this runs in."""
    row = await repository.lifecycle(session)
    assert row is not None, "it has a stage that is replaced"
    before = LIFECYCLE_EVENTS.snapshot(row)
    row.stages = _spelled(without(before.stages, stage))
    await LIFECYCLE_EVENTS.updated(session, row, before)


def _stages(row: LifecycleRow | None) -> list[LifecycleStep]:
    return LIFECYCLE_EVENTS.snapshot(row).stages if row is not None else []


def _usual(tenant_id: str) -> LifecycleRow:
    since = moment_of(tenant_id)
    return LifecycleRow(
        id=lifecycle_id(tenant_id),
        version=1,
        created_at=since,
        updated_at=since,
        initial=USUAL_INITIAL,
        stages=_spelled(USUAL),
    )


def _spelled(stages: Sequence[LifecycleStep]) -> list[dict[str, object]]:
    return [stage.model_dump(mode="json") for stage in stages]
