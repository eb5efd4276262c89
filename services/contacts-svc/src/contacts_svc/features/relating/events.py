"""From the row to what others may see of it."""

from crm_contracts.registry import RELATIONSHIP
from crm_contracts.relationships import Relationship
from crm_kit.outbox import EntityEvents

from contacts_svc.features.relating.models import RelationshipRow


def snapshot(row: RelationshipRow) -> Relationship:
    return Relationship.model_validate(row)


RELATIONSHIP_EVENTS = EntityEvents(RELATIONSHIP, RelationshipRow, snapshot)
