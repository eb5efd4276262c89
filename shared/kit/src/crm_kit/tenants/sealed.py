"""Values that a service has sealed under its secret, which another installation opens by another."""

from collections.abc import Sequence

from crm_kit.db.connecting import Connection
from crm_kit.http.sealing import Sealer, Unsealable
from crm_kit.keyring import Keyring
from crm_kit.resealing import SealedTable
from crm_kit.tenants.errors import TenantRefused
from crm_kit.tenants.owning import quoted


async def seal_anew(
    connection: Connection, tables: Sequence[SealedTable], tenant_id: str, keyring: Keyring, source_secret: str | None
) -> int:
    """Seals the tenant's values under this installation's secret; how many were not yet. They are few: a tenant has so many
    endpoints and sources. Raises TenantRefused for what no secret opens.
    """
    known = Keyring(keyring.present, (*keyring.fallbacks, *([source_secret] if source_secret is not None else [])))
    anew = 0
    for each in tables:
        for column, purpose in each.columns.items():
            anew += await _seal_column_anew(connection, each, column, tenant_id, Sealer(known, purpose))
    return anew


async def _seal_column_anew(
    connection: Connection, each: SealedTable, column: str, tenant_id: str, sealer: Sealer
) -> int:
    name, table, key = quoted(column), quoted(each.name), quoted(each.key)
    rows = await connection.fetch(
        f"select {key} as place, {name} as sealed from {table} where tenant_id = $1 and {name} is not null",  # noqa: S608  # of our own
        tenant_id,
    )
    anew = [row for row in rows if not row["sealed"].startswith(sealer.mark)]
    for row in anew:
        try:
            plain = sealer.unseal(row["sealed"], row["place"])
        except Unsealable:
            raise TenantRefused(
                f"{each.name}.{column} is sealed under another SECRET: name its file with --source-secret-file"
            ) from None
        update = f"update {table} set {name} = $3 where tenant_id = $1 and {key} = $2"  # noqa: S608  # as above
        await connection.execute(update, tenant_id, row["place"], sealer.seal(plain, row["place"]))
    return len(anew)
