"""The product table."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from crm_contracts.types import Money
from crm_kit.db.models import CodePointText, EntityRow, Moment, json_column, text_list_column
from sqlalchemy import Index, Numeric, Text
from sqlmodel import Field

from pipeline_svc.base import Base
from pipeline_svc.sales.models import external_id_index


class ProductRow(EntityRow, Base, table=True):
    """`price_amount` has no scale, so that 19.90 stays 19.90. A source may give one SKU to several: shops do, to variants."""

    __tablename__ = "product"
    __table_args__ = (
        Index("product_created", "tenant_id", "created_at", "id"),
        Index("product_updated", "tenant_id", "updated_at", "id"),
        Index("product_name", "tenant_id", "name", "id"),
        Index("product_sku", "tenant_id", "sku", "source"),
        external_id_index("product"),
        Index("product_tags", "tags", postgresql_using="gin"),
    )

    name: str = Field(sa_type=CodePointText, nullable=False)
    sku: str | None = Field(default=None, sa_type=CodePointText)
    source: str | None = Field(default=None, sa_type=CodePointText)
    external_id: str | None = Field(default=None, sa_type=CodePointText)
    description: str | None = Field(default=None, sa_type=Text)
    price_amount: Decimal | None = Field(default=None, sa_type=Numeric)
    price_currency: str | None = Field(default=None, sa_type=CodePointText)
    category: str | None = Field(default=None, sa_type=CodePointText)
    is_active: bool = Field(default=True, nullable=False)
    tags: list[str] = text_list_column()
    custom: dict[str, Any] = json_column(dict)
    source_updated_at: datetime | None = Field(default=None, sa_type=Moment)

    @property
    def unit_price(self) -> Money | None:
        if self.price_amount is None or self.price_currency is None:
            return None
        return Money(amount=self.price_amount, currency=self.price_currency)
