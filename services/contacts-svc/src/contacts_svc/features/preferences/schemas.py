"""What a preference page shows and takes."""

from typing import Annotated

from crm_contracts.contacts import Channel, ConsentStatus
from crm_contracts.custom_fields import LocalText
from crm_contracts.types import Contract, Input, Slug, Timestamp
from pydantic import Field


class PreferenceLinkWrite(Input):
    days: Annotated[int, Field(strict=True, ge=1, le=365, description="How long the link is good")] = 30


class PreferenceLinkMade(Contract):
    """`token` is the permission: whoever has it may read and change the preferences."""

    token: str
    path: Annotated[str, Field(description="Of the API that your page calls; it takes no other credential")]
    expires_at: Timestamp


class Preference(Contract):
    """One thing to decide. `status` null: nothing was ever said."""

    channel: Channel
    purpose: str
    label: LocalText
    wording: Annotated[
        str | None, Field(description="To be shown to whoever grants it; null: it can be withdrawn only")
    ]
    wording_version: int | None
    separate: Annotated[bool, Field(description="Ask for it on its own, with no other in the same act")]
    status: ConsentStatus | None
    at: Timestamp | None


class PreferencePage(Contract):
    name: Annotated[str | None, Field(description="Masked: the link may have been passed on")]
    do_not_contact: bool
    preferences: list[Preference]


class PreferenceWrite(Input):
    channel: Channel
    purpose: Slug
    status: ConsentStatus


class PreferencesWrite(Input):
    """What is decided; what is not named stays as it is."""

    preferences: Annotated[list[PreferenceWrite], Field(max_length=200)] = []
    do_not_contact: Annotated[bool | None, Field(strict=True)] = None
