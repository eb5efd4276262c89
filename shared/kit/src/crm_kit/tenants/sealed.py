"""Values that a service has sealed under its secret, which another installation opens by another."""

from collections.abc import Sequence
from dataclasses import dataclass

from crm_kit.db.connecting import Connection
from crm_kit.http.sealing import Sealer, Unsealable
from crm_kit.tenants.errors import TenantRefused
from crm_kit.tenants.owning import quoted


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of `bytea`, sealed for a purpose and for the id of its row (`crm_kit.http.sealing`)."""

    table: str
    column: str
    purpose: str


async def seal_anew(
    connection: Connection, columns: Sequence[SealedColumn], tenant_id: str, *, secret: str, source_secret: str | None
) -> int:
    """Seals the tenant's values under this installation's secret; how many were not yet. They are few: a tenant has so many
    endpoints and sources. Raises TenantRefused for what neither secret opens.
    """
    anew = 0
    for each in columns:
        name, table = quoted(each.column), quoted(each.table)
        rows = await connection.fetch(
            f"select id, {name} as sealed from {table} where tenant_id = $1 and {name} is not null",  # noqa: S608  # of our own
            tenant_id,
        )
        for row in rows:
            plain = _opened(each, row["id"], row["sealed"], secret, source_secret)
            if plain is None:
                continue
            sealed = Sealer(secret, each.purpose).seal(plain, row["id"])
            update = f"update {table} set {name} = $3 where tenant_id = $1 and id = $2"  # noqa: S608  # as above
            await connection.execute(update, tenant_id, row["id"], sealed)
            anew += 1
    return anew


def _opened(column: SealedColumn, place: str, sealed: bytes, secret: str, source_secret: str | None) -> bytes | None:
    """None where it is sealed under this installation's secret already."""
    try:
        Sealer(secret, column.purpose).unseal(sealed, place)
    except Unsealable:
        if source_secret is None:
            raise TenantRefused(
                f"{column.table}.{column.column} is sealed under another SECRET: name its file with --source-secret-file"
            ) from None
    else:
        return None
    try:
        return Sealer(source_secret, column.purpose).unseal(sealed, place)
    except Unsealable:
        raise TenantRefused(
            f"{column.table}.{column.column} is sealed under neither SECRET: is the file that of the export's service?"
        ) from None
