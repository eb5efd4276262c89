"""API keys as a resource."""

from crm_kit.conditions import Document, Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.api_keys.events import UNPUBLISHED
from gateway.features.api_keys.models import ApiKeyRow
from gateway.features.api_keys.schemas import ApiKeyWrite

_c = columns(ApiKeyRow)


def _is_support(key: Document) -> bool:
    return key.get("support") is not None


FIELDS = FieldSet(
    "ApiKey",
    [
        *base_fields(ApiKeyRow),
        Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
        Field("prefix", FieldType.TEXT, _c.prefix, nullable=False),
        Field("is_support", FieldType.BOOLEAN, _c.support.is_not(None), value=_is_support, part_of="support"),
    ],
)

API_KEYS = Resource(
    singular="api_key",
    plural="api-keys",
    label=Text("API key", "API 密钥"),
    row=ApiKeyRow,
    write=ApiKeyWrite,
    events=UNPUBLISHED,
    fields=FIELDS,
    ownership=TENANT_WIDE,
    create=None,
    update=None,
    delete=None,
    administered=frozenset({"read", "write"}),
)
