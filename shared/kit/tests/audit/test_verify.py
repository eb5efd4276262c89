"""Any entry that was altered, removed, reordered or inserted is found, and so is a chain that was made anew."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from crm_contracts.ids import TenantId
from crm_kit.audit.chain import GENESIS, changes_digest, entry_hash
from crm_kit.audit.sealer import seal
from crm_kit.audit.tables import AUDIT_ENTRY
from crm_kit.audit.verify import Anchor
from crm_testkit.audit_chain import LENGTH, Chain, Row, sealer_of, write_entries

FIRST, MIDDLE, LAST = 1, LENGTH // 2, LENGTH
_KEY = ("tenant_id", "sequence")


def _altered(value: object) -> object:
    """Another value of the same kind, as little different as can be."""
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, int):
        return value + 1
    assert value is None
    return "x"


@pytest.mark.parametrize("sequence", [FIRST, MIDDLE, LAST])
@pytest.mark.parametrize("column", [column.name for column in AUDIT_ENTRY.c if column.name not in _KEY])
async def test_an_alteration_of_any_column_is_found(chain: Chain, column: str, sequence: int) -> None:
    row = (await chain.rows())[sequence - 1]
    async with chain.owner() as owner:
        statement = f"update audit_entry set {column} = $1 where sequence = $2"
        await owner.execute(statement, _altered(row[column]), sequence)
    assert sequence in {at for _, at in await chain.faults()}


@pytest.mark.parametrize("sequence", [FIRST, MIDDLE, LAST])
@pytest.mark.parametrize("column", [column.name for column in AUDIT_ENTRY.c if column.nullable])
async def test_a_value_that_was_emptied_is_found(chain: Chain, column: str, sequence: int) -> None:
    emptied = (await chain.rows())[sequence - 1][column] is not None
    await chain.run(f"update audit_entry set {column} = null where sequence = {sequence}")
    assert bool(await chain.faults()) is emptied


@pytest.mark.parametrize("sequence", [FIRST, MIDDLE, LAST])
async def test_values_and_salt_that_went_without_an_erasure_are_found(chain: Chain, sequence: int) -> None:
    await chain.run(f"update audit_entry set changes = null, salt = null where sequence = {sequence}")
    assert await chain.faults() == [("payload", sequence)]


@pytest.mark.parametrize("sequence", [FIRST, MIDDLE, LAST])
async def test_an_alteration_with_its_hash_made_anew_is_found(chain: Chain, sequence: int) -> None:
    row = (await chain.rows())[sequence - 1]
    row["actor"] = "somebody else"
    row["hash"] = entry_hash(row, "toy", sequence, row["previous_hash"])
    async with chain.owner() as owner:
        await owner.execute(
            "update audit_entry set actor = $1, hash = $2 where sequence = $3", row["actor"], row["hash"], sequence
        )
    assert await chain.faults() == ([("head", LAST)] if sequence == LAST else [("inserted", sequence + 1)])


@pytest.mark.parametrize(
    ("which", "found"),
    [
        ("sequence = 1", [("removed", 1)]),
        ("sequence = 4", [("removed", 4)]),
        ("sequence in (3, 4, 6)", [("removed", 3), ("removed", 6)]),
        (f"sequence = {LAST}", [("removed", LAST)]),
        (f"sequence > {LAST - 3}", [("removed", LAST - 2)]),
        ("true", [("removed", 1)]),
    ],
)
async def test_a_removal_is_found(chain: Chain, which: str, found: list[tuple[str, int]]) -> None:
    await chain.run(f"delete from audit_entry where {which}")
    assert await chain.faults() == found


async def test_a_removal_that_closes_the_gap_is_found(chain: Chain) -> None:
    await chain.run(
        "delete from audit_entry where sequence = 3",
        *(f"update audit_entry set sequence = {n - 1} where sequence = {n}" for n in range(4, LENGTH + 1)),
        f"update audit_head set sequence = {LENGTH - 1}",
    )
    assert {at for _, at in await chain.faults()} >= set(range(3, LENGTH))


@pytest.mark.parametrize(("one", "other"), [(1, 2), (3, 6), (1, LAST), (LAST - 1, LAST)])
async def test_a_swap_is_found(chain: Chain, one: int, other: int) -> None:
    await chain.run(
        f"update audit_entry set sequence = -1 where sequence = {one}",
        f"update audit_entry set sequence = {one} where sequence = {other}",
        f"update audit_entry set sequence = {other} where sequence = -1",
    )
    assert {("reordered", one), ("reordered", other)} <= set(await chain.faults())


async def test_an_entry_moved_to_another_tenant_is_found_in_both(chain: Chain) -> None:
    other = Chain(chain.parts, TenantId.new(), [])
    async with chain.owner() as owner:
        await owner.execute("alter table audit_entry no force row level security")
        try:
            moved = "update audit_entry set tenant_id = $1 where tenant_id = $2 and sequence = 1"
            await owner.execute(moved, other.tenant_id, chain.tenant_id)
        finally:
            await owner.execute("alter table audit_entry force row level security")
    assert await chain.faults() == [("removed", 1)]
    assert {kind for kind, _ in await other.faults()} == {"altered", "head"}


async def _insert(chain: Chain, row: Row) -> None:
    names = list(row)
    places = ", ".join(f"${n + 1}" for n in range(len(names)))
    async with chain.owner() as owner:
        statement = f"insert into audit_entry ({', '.join(names)}) values ({places})"
        await owner.execute(statement, *row.values())


async def test_an_entry_put_behind_the_head_is_found(chain: Chain) -> None:
    last = (await chain.rows())[-1]
    forged = {**last, "id": "audit_forged", "sequence": LAST + 1, "previous_hash": last["hash"]}
    forged["hash"] = entry_hash(forged, "toy", LAST + 1, last["hash"])
    await _insert(chain, forged)
    assert await chain.faults() == [("inserted", LAST + 1)]


async def test_an_entry_put_in_between_is_found(chain: Chain) -> None:
    row = (await chain.rows())[3]
    await chain.run(
        *(f"update audit_entry set sequence = {n + 1} where sequence = {n}" for n in range(LENGTH, 3, -1)),
        f"update audit_head set sequence = {LENGTH + 1}",
    )
    forged = {**row, "id": "audit_forged", "actor": "nobody"}
    forged["hash"] = entry_hash(forged, "toy", 4, row["previous_hash"])
    await _insert(chain, forged)
    faults = await chain.faults()
    assert {at for _, at in faults} >= set(range(5, LENGTH + 2))


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("update audit_head set hash = sha256('x')", "head"),
        ("update audit_head set sequence = sequence + 1", "removed"),
        ("update audit_head set sequence = sequence - 1", "inserted"),
        ("delete from audit_head", "head"),
        ("update audit_head set base_sequence = 2", "base"),
        ("update audit_head set base_hash = sha256('x')", "base"),
    ],
)
async def test_a_head_that_was_touched_is_found(chain: Chain, statement: str, found: str) -> None:
    await chain.run(statement)
    assert found in {kind for kind, _ in await chain.faults()}


async def test_an_old_end_that_passes_for_a_purge_is_found(chain: Chain) -> None:
    """Who removes the oldest entries and says in the head that it was their time has no purge that tells so."""
    third = (await chain.rows())[2]
    async with chain.owner() as owner:
        await owner.execute("delete from audit_entry where sequence <= 3")
        await owner.execute("update audit_head set base_sequence = 3, base_hash = $1", third["hash"])
    assert await chain.faults() == [("base", 3)]


async def _write_anew(chain: Chain, rows: list[Row]) -> None:
    """As the sealer would have made it, head and all."""
    sealed = seal(rows, "toy", 0, GENESIS)
    await chain.run("delete from audit_entry")
    for row in sealed:
        await _insert(chain, row)
    async with chain.owner() as owner:
        await owner.execute("update audit_head set sequence = $1, hash = $2", len(sealed), sealed[-1]["hash"])


def _without_one(rows: list[Row]) -> list[Row]:
    return [*rows[:2], *rows[3:]]


def _with_another_actor(rows: list[Row]) -> list[Row]:
    return [{**row, "actor": "somebody else"} if row["sequence"] == 2 else row for row in rows]


def _backwards(rows: list[Row]) -> list[Row]:
    return rows[::-1]


def _cut(rows: list[Row]) -> list[Row]:
    return rows[:-2]


@pytest.mark.parametrize("forge", [_without_one, _with_another_actor, _backwards, _cut])
async def test_a_chain_made_anew_is_found_by_an_anchor_alone(
    chain: Chain, forge: Callable[[list[Row]], list[Row]]
) -> None:
    anchor = await chain.anchor()
    await _write_anew(chain, forge(await chain.rows()))
    assert await chain.faults() == [], "whoever may write as the owner can make a chain that is right in itself"
    assert await chain.faults(anchor) == [("anchor", LENGTH)]


async def test_a_chain_that_is_gone_is_found_by_an_anchor_alone(chain: Chain) -> None:
    anchor = await chain.anchor()
    await chain.run("delete from audit_entry", "delete from audit_head")
    assert await chain.faults() == []
    assert await chain.faults(anchor) == [("anchor", LENGTH)]


async def test_an_anchor_holds_while_the_chain_grows(chain: Chain) -> None:
    anchor = await chain.anchor()
    await write_entries(chain.parts, chain.tenant_id, 3)
    await sealer_of(chain.parts).seal_all()
    assert await chain.faults(anchor) == []
    wrong = Anchor(anchor.tenant_id, anchor.sequence, bytes(32))
    assert await chain.faults(wrong) == [("anchor", LENGTH)]


async def test_another_services_chain_is_none_of_this_one(chain: Chain) -> None:
    """The service's name is hashed too: rows carried over from another database do not fit."""
    row = (await chain.rows())[0]
    assert entry_hash(row, "toy", 1, GENESIS) == row["hash"]
    assert entry_hash(row, "contacts", 1, GENESIS) != row["hash"]
    assert changes_digest(row["salt"], row["changes"]) == row["changes_digest"]
