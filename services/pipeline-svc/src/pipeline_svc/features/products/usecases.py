"""What can be done with a product."""

from collections.abc import Mapping, Sequence

from crm_contracts.ids import ProductId
from crm_contracts.pipeline import Product
from crm_kit.db.session import WriteSession
from crm_kit.http.principal import Principal
from crm_kit.resources import Matcher, given
from pydantic import JsonValue

from pipeline_svc import lines
from pipeline_svc.features.products import repository
from pipeline_svc.features.products.events import PRODUCT_EVENTS
from pipeline_svc.features.products.models import ProductRow
from pipeline_svc.features.products.rules import SkuKey
from pipeline_svc.features.products.schemas import ProductWrite
from pipeline_svc.sales.keys import external_ids_of


async def create_product(session: WriteSession, data: ProductWrite, _caller: Principal) -> Product:
    await repository.EXTERNAL_ID.claim(session, data.source, data.external_id)
    row = ProductRow(id=ProductId.new(), name=data.name)
    _write(row, data)
    return await PRODUCT_EVENTS.created(session, row)


async def foresee(session: WriteSession, products: Sequence[ProductWrite]) -> None:
    """For all that are about to be created."""
    await repository.EXTERNAL_ID.foresee(session, external_ids_of(products))


async def update_product(session: WriteSession, row: ProductRow, data: ProductWrite, _caller: Principal) -> None:
    before = PRODUCT_EVENTS.snapshot(row)
    await repository.EXTERNAL_ID.claim(session, data.source, data.external_id, before)
    _write(row, data)
    await PRODUCT_EVENTS.updated(session, row, before)


async def delete_product(session: WriteSession, row: ProductRow, _caller: Principal) -> None:
    """Lines that name it stay as they are: they say themselves what was sold."""
    await PRODUCT_EVENTS.deleted(session, row)


def _sku_keys(data: Mapping[str, JsonValue], _caller: Principal) -> Sequence[SkuKey]:
    """The data's SKU: in the data's source where it says one, else wherever it is."""
    sent = given(ProductWrite, data, "sku", name="-", source=data.get("source"))
    assert sent.sku is not None, "`given` has looked"
    return [SkuKey(sent.sku, sent.source, anywhere="source" not in data)]


def _held_skus(one: Product) -> Sequence[SkuKey]:
    return [SkuKey(one.sku, one.source, False), SkuKey(one.sku, None, True)] if one.sku is not None else []


MATCHERS: Mapping[str, Matcher[Product]] = {
    "external_id": repository.EXTERNAL_ID.matcher(ProductWrite),
    "sku": Matcher(_sku_keys, repository.find_skus, _held_skus),
}


def _write(row: ProductRow, data: ProductWrite) -> None:
    price = data.unit_price
    row.price_amount = lines.stored_amount(price) if price else None
    row.price_currency = price.currency if price else None
    row.tags = list(dict.fromkeys(data.tags))
    row.custom = dict(data.custom)
    for name in ("name", "sku", "source", "external_id", "description", "category", "is_active", "source_updated_at"):
        setattr(row, name, getattr(data, name))
