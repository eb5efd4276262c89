"""The lifecycle as a resource of which every tenant has one."""

from crm_kit.conditions import FieldSet
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from contacts_svc.features.lifecycle import usecases
from contacts_svc.features.lifecycle.events import LIFECYCLE_EVENTS
from contacts_svc.features.lifecycle.schemas import LifecycleWrite
from contacts_svc.features.stages.models import LifecycleRow

LIFECYCLE = Resource(
    singular="lifecycle",
    plural="lifecycle",
    label=Text("lifecycle", "客户阶段设置"),
    row=LifecycleRow,
    write=LifecycleWrite,
    events=LIFECYCLE_EVENTS,
    fields=FieldSet("Lifecycle", base_fields(LifecycleRow)),
    ownership=TENANT_WIDE,
    create=None,
    update=usecases.update_lifecycle,
    delete=None,
)
