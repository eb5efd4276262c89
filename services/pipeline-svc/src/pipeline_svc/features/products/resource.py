"""Products as a resource."""

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Digested, Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from pipeline_svc.features.products import usecases
from pipeline_svc.features.products.events import PRODUCT_EVENTS
from pipeline_svc.features.products.models import ProductRow
from pipeline_svc.features.products.schemas import ProductWrite

_c = columns(ProductRow)

FIELDS = FieldSet(
    "Product",
    [
        *base_fields(ProductRow),
        Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
        Field("sku", FieldType.TEXT, _c.sku),
        Field("source", FieldType.TEXT, _c.source),
        Field("external_id", FieldType.TEXT, _c.external_id),
        Field("unit_price", FieldType.NUMBER, _c.price_amount, value="unit_price.amount"),
        Field("currency", FieldType.TEXT, _c.price_currency, value="unit_price.currency"),
        Field("category", FieldType.TEXT, _c.category),
        Field("is_active", FieldType.BOOLEAN, _c.is_active, nullable=False),
        Field("tag", FieldType.TEXT_LIST, _c.tags, value="tags"),
        Field("source_updated_at", FieldType.DATETIME, _c.source_updated_at),
    ],
)

PRODUCTS = Resource(
    singular="product",
    plural="products",
    label=Text("product", "产品"),
    row=ProductRow,
    write=ProductWrite,
    events=PRODUCT_EVENTS,
    fields=FIELDS,
    ownership=TENANT_WIDE,
    create=usecases.create_product,
    update=usecases.update_product,
    delete=usecases.delete_product,
    match=usecases.MATCHERS,
    foresee=usecases.foresee,
    sender_time="source_updated_at",
    digests=Digested(("created_at", "updated_at"), source="source"),
)
