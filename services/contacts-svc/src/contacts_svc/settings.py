"""Settings that no other service has."""

from crm_kit.settings import ServiceSettings
from pydantic import Field


class ContactsSettings(ServiceSettings):
    export_days: int = Field(7, ge=1, le=90, description="How long the file of an export is kept")
