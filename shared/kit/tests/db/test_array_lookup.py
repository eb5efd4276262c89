"""Look-ups in lists of texts use their GIN index under row-level security."""

from collections.abc import Callable

import asyncpg
import pytest
from crm_kit.db.provision import ServiceUrls


@pytest.mark.parametrize("condition", ["keys @> array['k7']", "keys && array['k7', 'k8']"])
async def test_a_lookup_in_a_list_reads_its_index(
    postgres_database: Callable[[str], ServiceUrls], condition: str
) -> None:
    urls = postgres_database("arrays")
    owner = await asyncpg.connect(urls.owner)
    await owner.execute(
        """
        create table thing (tenant_id text, id int, keys text[]);
        insert into thing select 'a', n, array['k' || n] from generate_series(1, 20000) as n;
        create index thing_keys on thing using gin (keys);
        alter table thing enable row level security;
        create policy tenant on thing using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')));
        analyze thing;
        """
    )
    await owner.close()
    app = await asyncpg.connect(urls.app)
    await app.execute("select set_config('app.tenant_id', 'a', false)")
    plan = "\n".join(row[0] for row in await app.fetch(f"explain select id from thing where {condition}"))
    await app.close()
    assert "thing_keys" in plan, plan
