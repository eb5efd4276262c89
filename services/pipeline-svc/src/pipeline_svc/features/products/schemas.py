"""What clients may write of a product."""

from typing import Annotated

from crm_contracts.types import CustomFields, Input, LongText, Name, NonNegativeMoney, Text
from pydantic import Field, StringConstraints

from pipeline_svc.sales.schemas import ExternalIdInSource, SourceName, SourceTime, Tags


class ProductWrite(Input):
    name: Name
    sku: Annotated[
        Annotated[Text, StringConstraints(min_length=1, max_length=100)] | None,
        Field(description="Stock keeping unit; several products may have one", examples=["TEA-500"]),
    ] = None
    source: SourceName = None
    external_id: ExternalIdInSource = None
    description: LongText | None = None
    unit_price: Annotated[NonNegativeMoney | None, Field(description="Its list price")] = None
    category: Annotated[Text, StringConstraints(min_length=1)] | None = None
    is_active: Annotated[bool, Field(strict=True, description="Whether it is still sold")] = True
    tags: Tags = []
    custom: CustomFields = {}
    source_updated_at: SourceTime = None
