"""From the row to what others may see of it."""

from crm_contracts.pipeline import Product
from crm_contracts.registry import PRODUCT
from crm_kit.outbox import EntityEvents

from pipeline_svc.features.products.models import ProductRow


def snapshot(row: ProductRow) -> Product:
    return Product.model_validate(row)


PRODUCT_EVENTS = EntityEvents(PRODUCT, ProductRow, snapshot)
