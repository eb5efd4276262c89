"""The migrations make what the models say."""

from collections.abc import Callable

from crm_kit.db.migrations import differences, migrate
from crm_kit.db.provision import ServiceUrls
from crm_kit.db.session import make_engine
from pipeline_svc.manifest import MANIFEST


async def test_models_and_migrations_agree(postgres_database: Callable[[str], ServiceUrls]) -> None:
    urls = postgres_database("pipeline")
    assert await migrate(MANIFEST.migrations, MANIFEST.metadata, urls.owner)
    engine = make_engine(urls.owner)
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(lambda sync: list(differences(sync, MANIFEST.metadata))) == []
    finally:
        await engine.dispose()
