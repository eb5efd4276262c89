"""What can be done with a campaign, and what it does by itself."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from crm_contracts.campaigns import Campaign
from crm_contracts.ids import CampaignId
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.timers import set_timer

from campaigns_svc.features.campaigns import repository, rules
from campaigns_svc.features.campaigns.errors import NotInThisState
from campaigns_svc.features.campaigns.events import CAMPAIGN_EVENTS
from campaigns_svc.features.campaigns.models import CampaignRow
from campaigns_svc.features.campaigns.schemas import CampaignReport, CampaignWrite
from campaigns_svc.features.messages import usecases as messages
from campaigns_svc.features.segments import repository as segments
from campaigns_svc.features.templates import repository as templates

_LOOK_AGAIN: Final = timedelta(seconds=1)


async def create_campaign(session: WriteSession, data: CampaignWrite, _caller: Principal) -> Campaign:
    await _check_references(session, data)
    row = CampaignRow(id=CampaignId.new(), **data.model_dump())
    return await CAMPAIGN_EVENTS.created(session, row)


async def update_campaign(session: WriteSession, row: CampaignRow, data: CampaignWrite, _caller: Principal) -> None:
    require(row, "change")
    await _check_references(session, data)
    before = CAMPAIGN_EVENTS.snapshot(row)
    for field, value in data.model_dump().items():
        setattr(row, field, value)
    await CAMPAIGN_EVENTS.updated(session, row, before)


async def delete_campaign(session: WriteSession, row: CampaignRow, _caller: Principal) -> None:
    """Its messages stay: they are part of what happened to their contacts."""
    require(row, "delete")
    await CAMPAIGN_EVENTS.deleted(session, row)


async def schedule_campaign(session: WriteSession, row: CampaignRow, at: datetime | None) -> None:
    """Starts it at a time. What it says is kept from now on: the template may change or go."""
    require(row, "schedule")
    before = CAMPAIGN_EVENTS.snapshot(row)
    await _freeze(session, row)
    row.status = "scheduled"
    row.scheduled_at = at or await session.now()
    row.queued_to, row.requeued_to = "", None
    await CAMPAIGN_EVENTS.updated(session, row, before, action="scheduled")
    await set_timer(session, rules.CAMPAIGN_RUN, row.id, row.scheduled_at)


async def pause_campaign(session: WriteSession, row: CampaignRow) -> None:
    """No message is handed over any more, but those that are under way to the mail server."""
    require(row, "pause")
    before = CAMPAIGN_EVENTS.snapshot(row)
    row.status = "paused"
    await CAMPAIGN_EVENTS.updated(session, row, before, action="paused")


async def resume_campaign(session: WriteSession, row: CampaignRow) -> None:
    """Goes on where it was; messages that came due during the pause are due now."""
    require(row, "resume")
    before = CAMPAIGN_EVENTS.snapshot(row)
    row.status = rules.status_after_resume(started=row.started_at is not None)
    row.requeued_to = "" if row.started_at is not None else None
    await CAMPAIGN_EVENTS.updated(session, row, before)
    now = await session.now()
    due = now if row.started_at is not None else max(now, row.scheduled_at or now)
    await set_timer(session, rules.CAMPAIGN_RUN, row.id, due)


async def cancel_campaign(session: WriteSession, row: CampaignRow) -> None:
    """For good. No message is handed over any more; those that wait are marked so in batches behind it."""
    require(row, "cancel")
    before = CAMPAIGN_EVENTS.snapshot(row)
    row.status, row.finished_at = "cancelled", await session.now()
    await CAMPAIGN_EVENTS.updated(session, row, before, action="cancelled")
    await set_timer(session, rules.CAMPAIGN_RUN, row.id, row.finished_at)


async def run_campaign(session: WriteSession, campaign_id: str, batch: int) -> datetime | None:
    """Does the campaign's next step, of at most `batch` messages; when to be called again, or None at rest.

    How far it has come is stored with each step, so that it goes on after a crash at any point.
    """
    row, now = await repository.lock_campaign(session, campaign_id), await session.now()
    if row is None or row.status == "cancelled":
        return now if await messages.cancel_queued(session, campaign_id, batch) else None
    if row.status == "scheduled":
        if row.scheduled_at is not None and row.scheduled_at > now:
            return row.scheduled_at
        before = CAMPAIGN_EVENTS.snapshot(row)
        row.status, row.started_at = "sending", now
        await CAMPAIGN_EVENTS.updated(session, row, before, action="started")
    if row.status != "sending":
        return None
    if row.queued_to is not None:
        row.queued_to = await _queue_batch(session, row, row.queued_to, batch)
        return now
    if row.requeued_to is not None:
        row.requeued_to = await messages.put_back(session, row.id, row.requeued_to, batch)
        return now
    if await messages.any_unfinished(session, row.id):
        return now + _LOOK_AGAIN
    before = CAMPAIGN_EVENTS.snapshot(row)
    row.status, row.finished_at = "sent", now
    await CAMPAIGN_EVENTS.updated(session, row, before, action="finished")
    return None


async def report(session: ReadSession, row: CampaignRow) -> CampaignReport:
    counts = await repository.message_counts(session, row.id)
    return CampaignReport.model_validate(
        {
            "campaign_id": row.id,
            "status": row.status,
            "total": sum(count.messages for count in counts),
            "by_status": _summed([(count.status, count.messages) for count in counts]),
            "by_reason": _summed([(count.reason, count.messages) for count in counts if count.reason]),
            "unsubscribed": sum(count.unsubscribed for count in counts),
        }
    )


def require(row: CampaignRow, action: rules.Action) -> None:
    """Raises NotInThisState."""
    if not rules.is_possible(action, row.status):
        allowed = ", ".join(sorted(rules.POSSIBLE_IN[action]))
        raise NotInThisState(
            Text(
                f"It is {row.status}; this takes one that is {allowed}.",
                f"当前状态为 {row.status}，此操作要求：{allowed}。",
            ),
            members={"campaign_status": row.status},
        )


def _summed(pairs: Sequence[tuple[str, int]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for name, count in pairs:
        totals[name] = totals.get(name, 0) + count
    return dict(sorted(totals.items()))


async def _queue_batch(session: WriteSession, row: CampaignRow, after: str, batch: int) -> str | None:
    """Makes the messages of the next members; the last member, or None after the last of all."""
    members = await segments.members_after(session, row.segment_id, after, batch)
    await messages.queue_messages(session, row, [contact_id for _, contact_id in members])
    return members[-1][0] if len(members) == batch else None


async def _freeze(session: WriteSession, row: CampaignRow) -> None:
    """Takes the template's sources over. Raises ValidationFailed where it could not be sent."""
    faults: list[FieldError] = []
    template = await templates.template(session, row.template_id)
    if row.channel != "email":
        faults.append(
            FieldError(
                "/channel",
                "not_supported",
                Text(f"Only e-mail can be sent yet, not {row.channel}", f"目前只能发送邮件，不支持 {row.channel}"),
            )
        )
    elif template is not None and template.channel != row.channel:
        faults.append(_other_channel(template.channel))
    if template is None:
        faults.append(_missing("/template_id", Text("There is no such template", "不存在该模板")))
    if not await segments.keep_segment(session, row.segment_id):
        faults.append(_missing("/segment_id", Text("There is no such segment", "不存在该细分")))
    if faults or template is None:
        raise ValidationFailed(
            Text("This campaign cannot be sent; see errors.", "该营销活动无法发送，见 errors。"), errors=faults
        )
    row.subject, row.body_text, row.body_html = template.subject, template.body_text, template.body_html


async def _check_references(session: WriteSession, data: CampaignWrite) -> None:
    """Raises ValidationFailed where what the campaign needs is not there."""
    faults: list[FieldError] = []
    if not await segments.segment_exists(session, data.segment_id):
        faults.append(_missing("/segment_id", Text("There is no such segment", "不存在该细分")))
    template = await templates.template(session, data.template_id)
    if template is None:
        faults.append(_missing("/template_id", Text("There is no such template", "不存在该模板")))
    elif template.channel != data.channel:
        faults.append(_other_channel(template.channel))
    if faults:
        raise ValidationFailed(faults[0].detail, errors=faults)


def _missing(pointer: str, detail: Text) -> FieldError:
    return FieldError(pointer, "not_found", detail)


def _other_channel(channel: str) -> FieldError:
    detail = Text(f"The template is for the channel {channel}", f"模板适用于渠道 {channel}")
    return FieldError("/template_id", "other_channel", detail)
