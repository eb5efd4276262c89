"""The declarations, for the records that are held against them."""

from crm_contracts.custom_fields import CustomFieldResource
from crm_kit.custom_fields import Declared, standing_custom_fields
from crm_kit.db.sql import Sql
from crm_kit.db.standing import Standing

_DECLARATIONS = Sql("select to_jsonb(f)::text as declared from custom_field f where resource = :resource order by id")


def declared_for(resource: CustomFieldResource) -> Standing[Declared]:
    return standing_custom_fields(resource, _DECLARATIONS)
