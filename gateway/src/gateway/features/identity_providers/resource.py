"""Identity providers as a resource."""

from typing import get_args

from crm_contracts.sign_in import ProviderStatus
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.identity_providers import usecases
from gateway.features.identity_providers.events import IDENTITY_PROVIDER_EVENTS
from gateway.features.identity_providers.models import IdentityProviderRow
from gateway.features.identity_providers.schemas import IdentityProviderWrite

_c = columns(IdentityProviderRow)

IDENTITY_PROVIDERS = Resource(
    singular="identity_provider",
    plural="identity-providers",
    label=Text("identity provider", "身份提供方"),
    row=IdentityProviderRow,
    write=IdentityProviderWrite,
    events=IDENTITY_PROVIDER_EVENTS,
    fields=FieldSet(
        "IdentityProvider",
        [
            *base_fields(IdentityProviderRow),
            Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
            Field("status", FieldType.CHOICE, _c.status, choices=get_args(ProviderStatus), nullable=False),
            Field("issuer", FieldType.TEXT, _c.issuer, nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=usecases.register_provider,
    update=usecases.change_provider,
    delete=usecases.remove_provider,
    administered=frozenset({"read", "write"}),
)
