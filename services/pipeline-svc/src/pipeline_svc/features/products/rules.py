"""Pure decisions about products."""

from typing import NamedTuple


class SkuKey(NamedTuple):
    """A SKU in one source, which is None for the products that have none; or wherever it is (`anywhere`)."""

    sku: str
    source: str | None
    anywhere: bool

    def fits(self, sku: str | None, source: str | None) -> bool:
        return sku == self.sku and (self.anywhere or source == self.source)
