"""Every statement about templates beyond those that all resources have."""

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from sqlalchemy import select

from campaigns_svc.features.templates.models import TemplateRow


async def template(session: ReadSession, template_id: str) -> TemplateRow | None:
    row: TemplateRow | None = await session.scalar(select(TemplateRow).where(columns(TemplateRow).id == template_id))
    return row
