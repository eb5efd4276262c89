"""From the row to what others may see of it."""

from crm_contracts.registry import IDENTITY_PROVIDER
from crm_contracts.sign_in import IdentityProvider
from crm_kit.outbox import EntityEvents

from gateway.features.identity_providers.models import IdentityProviderRow


def snapshot(row: IdentityProviderRow) -> IdentityProvider:
    return IdentityProvider.model_validate(row)


IDENTITY_PROVIDER_EVENTS = EntityEvents(IDENTITY_PROVIDER, IdentityProviderRow, snapshot)
