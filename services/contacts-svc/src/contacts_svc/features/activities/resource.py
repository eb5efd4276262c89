"""Activities as a resource."""

from typing import get_args

from crm_contracts.contacts import ActivityKind, Direction
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import CUSTOM, Ownership, Through

from contacts_svc.features.accounts.models import ACCOUNT_OWNERSHIP
from contacts_svc.features.activities import usecases
from contacts_svc.features.activities.events import ACTIVITY_EVENTS
from contacts_svc.features.activities.models import ActivityRow
from contacts_svc.features.activities.schemas import ActivityWrite
from contacts_svc.features.contacts.models import CONTACT_OWNERSHIP
from contacts_svc.features.declaring.repository import declared_for

_c = columns(ActivityRow)

FIELDS = FieldSet(
    "Activity",
    [
        *base_fields(ActivityRow),
        Field("at", FieldType.DATETIME, _c.at, sortable=True, nullable=False),
        Field("kind", FieldType.CHOICE, _c.kind, choices=get_args(ActivityKind), nullable=False),
        Field("direction", FieldType.CHOICE, _c.direction, choices=get_args(Direction)),
        Field("channel", FieldType.TEXT, _c.channel),
        Field("subject", FieldType.TEXT, _c.subject),
        Field("contact_id", FieldType.ID, _c.contact_id),
        Field("account_id", FieldType.ID, _c.account_id),
        Field("actor_id", FieldType.TEXT, _c.actor_id),
    ],
    declared_under=CUSTOM,
)

ACTIVITIES = Resource(
    singular="activity",
    plural="activities",
    label=Text("activity", "活动"),
    row=ActivityRow,
    write=ActivityWrite,
    events=ACTIVITY_EVENTS,
    fields=FIELDS,
    ownership=Ownership(through=(Through(_c.contact_id, CONTACT_OWNERSHIP), Through(_c.account_id, ACCOUNT_OWNERSHIP))),
    create=usecases.log_activity,
    update=usecases.update_activity,
    delete=usecases.delete_activity,
    custom=declared_for("activities"),
)
