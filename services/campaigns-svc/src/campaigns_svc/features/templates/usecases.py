"""What can be done with a template."""

from typing import Any

from crm_contracts.campaigns import Template
from crm_contracts.ids import TemplateId
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal

from campaigns_svc.features.audience import repository as audience
from campaigns_svc.features.templates import rules
from campaigns_svc.features.templates.errors import InvalidTemplate
from campaigns_svc.features.templates.events import TEMPLATE_EVENTS
from campaigns_svc.features.templates.models import TemplateRow
from campaigns_svc.features.templates.schemas import Preview, PreviewRequest, TemplateWrite

_SAMPLE_CAMPAIGN = {"id": "campaign_00000000000000000000000000", "name": "Preview"}


async def create_template(session: WriteSession, data: TemplateWrite, _caller: Principal) -> Template:
    _check_sources(data)
    row = TemplateRow(id=TemplateId.new(), **data.model_dump())
    return await TEMPLATE_EVENTS.created(session, row)


async def update_template(session: WriteSession, row: TemplateRow, data: TemplateWrite, _caller: Principal) -> None:
    """What a campaign that is already scheduled says does not change with it."""
    _check_sources(data)
    before = TEMPLATE_EVENTS.snapshot(row)
    for field, value in data.model_dump().items():
        setattr(row, field, value)
    await TEMPLATE_EVENTS.updated(session, row, before)


async def delete_template(session: WriteSession, row: TemplateRow, _caller: Principal) -> None:
    await TEMPLATE_EVENTS.deleted(session, row)


async def preview_template(
    session: ReadSession, row: TemplateRow, data: PreviewRequest, unsubscribe_url: str
) -> Preview:
    """Raises InvalidTemplate where these values cannot be put into it."""
    contact, account = await _values(session, data)
    values = {"contact": contact, "account": account, "campaign": _SAMPLE_CAMPAIGN, "unsubscribe_url": unsubscribe_url}
    try:
        rendered = rules.render(rules.Source(row.subject, row.body_text, row.body_html), values)
    except rules.RenderingFailed as error:
        raise InvalidTemplate(Text(f"It cannot be rendered: {error}.", f"无法渲染：{error}。")) from error
    return Preview.model_validate(rendered)


async def _values(session: ReadSession, data: PreviewRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    if data.contact_id is None:
        return data.contact.model_dump(exclude_none=True), data.account.model_dump(exclude_none=True)
    contact = await audience.contact(session, data.contact_id)
    if contact is None or contact.deleted:
        detail = Text("There is no such contact", "不存在该联系人")
        raise ValidationFailed(detail, errors=[FieldError("/contact_id", "not_found", detail)])
    account = await audience.account(session, contact.account_id) if contact.account_id else None
    return contact.profile, account.profile if account else {}


def _check_sources(data: TemplateWrite) -> None:
    faults: list[FieldError] = []
    for field in ("subject", "body_text", "body_html"):
        source: str | None = getattr(data, field)
        try:
            if source is not None:
                rules.check(source)
        except rules.TemplateFault as fault:
            faults.append(FieldError(f"/{field}", "template", fault.detail))
    if faults:
        raise InvalidTemplate(
            Text("A source breaks the rules of templates; see errors.", "模板源码违反规则，见 errors。"), errors=faults
        )
