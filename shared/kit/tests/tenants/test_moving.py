"""What is taken in is what was written, or nothing; what is deleted stays deleted."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from crm_contracts.envelope import Event
from crm_kit.db.provision import ServiceUrls
from crm_kit.tenants.deleting import delete_tenant
from crm_kit.tenants.errors import TenantRefused
from crm_kit.tenants.exporting import export_tenant
from crm_kit.tenants.files import CountingFile
from crm_kit.tenants.holding import freeze, thaw
from crm_kit.tenants.importing import import_tenant, restate_tenant
from crm_testkit.service import ServiceUnderTest, Tenant, running_service
from crm_testkit.toy_service import NOTE
from crm_testkit.toy_service.manifest import MANIFEST


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def elsewhere(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServiceUnderTest]:
    """Another installation of the same service."""
    folder = tmp_path_factory.mktemp("elsewhere")
    async with running_service(MANIFEST, postgres_database("toy"), event_log_database(), folder) as running:
        yield running


async def _exported(toy: ServiceUnderTest, tenant: Tenant, folder: Path) -> Path:
    await freeze("toy", toy.runtime.settings, tenant.id, "ops")
    await export_tenant(toy.manifest, toy.runtime.settings, tenant.id, folder, print)
    return folder / "toy"


async def _take_in(there: ServiceUnderTest, folder: Path) -> str:
    return await import_tenant(there.manifest, there.runtime.settings, folder, "ops", print, source_secret=None)


async def _told(service: ServiceUnderTest, tenant: Tenant, at_least: int) -> list[Event]:
    return [one for one in await service.events(NOTE.name, at_least=at_least) if one.tenant_id == tenant.id]


async def test_what_is_taken_in_goes_on_where_it_was(
    toy: ServiceUnderTest, elsewhere: ServiceUnderTest, tmp_path: Path
) -> None:
    tenant = toy.tenant()
    note = await tenant.create(
        "/v1/notes", title="文\n\t\\ \"'", tags=["a", "b"], price={"amount": "0.10", "currency": "CNY"}
    )
    answer = await tenant.client.patch(f"/v1/notes/{note['id']}", json={"count": 7})
    assert answer.status_code == 200, answer.text
    said = await tenant.read("/v1/notes")
    body, key = {"title": "once"}, {"Idempotency-Key": "k"}
    first = await tenant.client.post("/v1/notes", json=body, headers=key)
    await _exported(toy, tenant, tmp_path)

    assert await _take_in(elsewhere, tmp_path) == tenant.id
    assert await restate_tenant(elsewhere.manifest, elsewhere.runtime.settings, tenant.id) == 2
    assert await _take_in(elsewhere, tmp_path) == tenant.id, "the same export once more changes nothing"
    events = await _told(elsewhere, tenant, 2)
    assert sorted((event.action, event.sequence) for event in events) == [("restated", 1), ("restated", 2)]

    await thaw("toy", elsewhere.runtime.settings, tenant.id)
    there = elsewhere.tenant(tenant.id)
    assert (await there.read(f"/v1/notes/{note['id']}")) == said["data"][0]
    again = await there.client.post("/v1/notes", json=body, headers=key)
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")


async def test_a_file_that_was_changed_is_refused(
    toy: ServiceUnderTest, elsewhere: ServiceUnderTest, tmp_path: Path
) -> None:
    tenant = toy.tenant()
    await tenant.create("/v1/notes", title="mine")
    folder = await _exported(toy, tenant, tmp_path)
    notes = folder / "note.ndjson"
    notes.write_bytes(notes.read_bytes().replace(b"mine", b"ours"))
    with pytest.raises(TenantRefused, match="checksum"):
        await _take_in(elsewhere, tmp_path)
    notes.unlink()
    with pytest.raises(TenantRefused, match="cannot be read"):
        await _take_in(elsewhere, tmp_path)
    assert (await elsewhere.tenant(tenant.id).read("/v1/notes"))["data"] == []


async def test_rows_of_another_tenant_are_refused_whatever_the_manifest_says(
    toy: ServiceUnderTest, elsewhere: ServiceUnderTest, tmp_path: Path
) -> None:
    tenant, victim = toy.tenant(), elsewhere.tenant()
    await tenant.create("/v1/notes", title="planted")
    folder = await _exported(toy, tenant, tmp_path)
    _forge(folder, "note", lambda text: text.replace(tenant.id.encode(), victim.id.encode()))
    with pytest.raises(TenantRefused, match="row-level security"):
        await _take_in(elsewhere, tmp_path)
    assert (await victim.read("/v1/notes"))["data"] == []
    await elsewhere.tenant(tenant.id).create("/v1/notes", title="it is not even held")


@pytest.mark.parametrize(
    "line", [b"{}\n", b"no json\n", b'{"tenant_id": 1}\n', b"\x02\n", b"[1]\n", b'{"id": "\\u0000"}\n']
)
async def test_whatever_else_a_file_holds_is_a_sentence(
    toy: ServiceUnderTest, elsewhere: ServiceUnderTest, tmp_path: Path, line: bytes
) -> None:
    tenant = toy.tenant()
    await tenant.create("/v1/notes", title="a")
    folder = await _exported(toy, tenant, tmp_path)
    _forge(folder, "note", lambda _: line)
    with pytest.raises(TenantRefused, match=r"note\.ndjson"):
        await _take_in(elsewhere, tmp_path)


async def test_a_manifest_cannot_lead_out_of_its_folder(
    toy: ServiceUnderTest, elsewhere: ServiceUnderTest, tmp_path: Path
) -> None:
    tenant = toy.tenant()
    await tenant.create("/v1/notes", title="a")
    file = await _exported(toy, tenant, tmp_path) / "manifest.json"
    manifest = json.loads(file.read_text())
    for name in ("../../secret", "/etc/passwd", "", "a b"):
        file.write_text(json.dumps({**manifest, "tables": {name: manifest["tables"]["note"]}}))
        with pytest.raises(TenantRefused, match="is no table"):
            await _take_in(elsewhere, tmp_path)
    for changed in ({"format": 2}, {"schema_revision": "0000_other"}, {"service": "other"}, {"is_settled": False}):
        file.write_text(json.dumps({**manifest, **changed}))
        with pytest.raises(TenantRefused):
            await _take_in(elsewhere, tmp_path)


async def test_an_export_of_a_tenant_that_is_written_to_can_be_read_alone(
    toy: ServiceUnderTest, elsewhere: ServiceUnderTest, tmp_path: Path
) -> None:
    tenant = toy.tenant()
    await tenant.create("/v1/notes", title="a")
    written = await export_tenant(toy.manifest, toy.runtime.settings, tenant.id, tmp_path, print)
    assert written.tables["note"].rows == 1
    assert oct((tmp_path / "toy").stat().st_mode)[-2:] == "00", "nobody else may look"
    with pytest.raises(TenantRefused, match="written to"):
        await _take_in(elsewhere, tmp_path)
    with pytest.raises(TenantRefused, match="there already"):
        await export_tenant(toy.manifest, toy.runtime.settings, tenant.id, tmp_path, print)
    with pytest.raises(TenantRefused, match="there is nothing"):
        await export_tenant(toy.manifest, toy.runtime.settings, toy.tenant().id, tmp_path / "nobody", print)


async def test_what_is_deleted_leaves_tombstones_and_a_certificate_alone(toy: ServiceUnderTest) -> None:
    tenant, settings = toy.tenant(), toy.runtime.settings
    notes = [await tenant.create("/v1/notes", title=title) for title in "abc"]
    with pytest.raises(TenantRefused, match="read-only first"):
        await delete_tenant(toy.manifest, settings, tenant.id, "ops", print, seconds=30)
    await freeze("toy", settings, tenant.id, "ops")
    certificate = await delete_tenant(toy.manifest, settings, tenant.id, "Chen Jing", print, seconds=30)
    assert (certificate["state"], certificate["by"], certificate["tables"]["note"]) == ("deleted", "Chen Jing", 3)
    last = {event.subject: event.entity for event in await _told(toy, tenant, 6)}
    assert last == {note["id"]: None for note in notes}, "compaction forgets them all"
    assert await delete_tenant(toy.manifest, settings, tenant.id, "somebody else", print, seconds=30) == certificate
    with pytest.raises(TenantRefused, match="for good"):
        await thaw("toy", settings, tenant.id)
    answer = await tenant.client.post("/v1/notes", json={"title": "again"})
    assert answer.json()["code"] == "tenant_read_only"


def _forge(folder: Path, table: str, change: Callable[[bytes], bytes]) -> None:
    """A file and the manifest that tells of it, as somebody would write them who knows how."""
    path, file = folder / f"{table}.ndjson", folder / "manifest.json"
    text = change(path.read_bytes())
    with path.open("wb") as opened:
        counting = CountingFile(opened)
        counting.write(text)
    manifest = json.loads(file.read_text())
    columns = manifest["tables"][table]["columns"]
    manifest["tables"][table] = counting.told(columns).model_dump()
    file.write_text(json.dumps(manifest))
