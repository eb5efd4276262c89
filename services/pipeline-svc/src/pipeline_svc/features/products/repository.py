"""By what products are known."""

from collections.abc import Mapping, Sequence

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import WriteSession
from sqlalchemy import ARRAY, Text, any_, literal, select

from pipeline_svc.features.products.errors import ProductExternalIdTaken
from pipeline_svc.features.products.models import ProductRow
from pipeline_svc.features.products.rules import SkuKey
from pipeline_svc.sales.keys import SourceKey

EXTERNAL_ID = SourceKey(ProductRow, "external_id", "product.external", ProductExternalIdTaken, "product_id", "外部标识")

_c = columns(ProductRow)


async def find_skus(session: WriteSession, keys: Sequence[SkuKey]) -> Mapping[SkuKey, Sequence[str]]:
    """The products with these SKUs, which are locked: of two upserts with one of them not both find nobody."""
    skus = sorted({key.sku for key in keys})
    await lock_keys(session, "product.sku", skus)
    statement = select(_c.id, _c.sku, _c.source).where(_c.sku == any_(literal(skus, ARRAY(Text(collation="C")))))
    rows = (await session.execute(statement)).all()
    return {key: [row.id for row in rows if key.fits(row.sku, row.source)] for key in keys}
