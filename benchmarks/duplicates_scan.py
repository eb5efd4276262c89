"""How long a scan for duplicates takes, and the memory of it: `python benchmarks/duplicates_scan.py --contacts 1000000`.

In a database of its own, of contacts of China and of America as `duplicates_chinese.py` and `duplicates_dirty.py` make them.
"""

import argparse
import asyncio
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from math import comb
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.duplicates.jobs import Step, scan_some
from contacts_svc.features.duplicates.usecases import duplicates_of_contact
from contacts_svc.features.matching.rules.keys import key_numbers
from contacts_svc.features.matching.rules.scoring import REPORTED_FROM
from contacts_svc.manifest import MANIFEST
from crm_contracts.ids import ContactId, TenantId
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.migrations import migrate
from crm_kit.db.provision import ServiceDatabase, provision
from crm_kit.db.rows import insert_of, json_of, new_row, together
from crm_kit.db.session import Database
from crm_kit.db.sql import Sql
from crm_testkit.postgres import make_open_folder
from duplicates import normalised, profile_of
from duplicates_chinese import chinese
from duplicates_data import Record
from duplicates_dirty import dirty

_TENANT = TenantId.new()
_PIECE = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    with make_open_folder() as folder, EmbeddedPostgres(folder / "postgres") as server:
        report = asyncio.run(_measure(server, arguments.contacts))
    print(json.dumps(report, indent=1))
    if arguments.report:
        arguments.report.write_text(json.dumps(report, indent=1) + "\n")


async def _measure(server: EmbeddedPostgres, contacts: int) -> dict[str, Any]:
    database = ServiceDatabase("contacts", "owner", "app", "system")
    await provision(server.superuser_url(), database)
    urls = database.urls(server.superuser_url())
    await migrate(MANIFEST.migrations, MANIFEST.metadata, urls.owner)
    loading = await asyncpg.connect(server.superuser_url("contacts"))
    began = time.perf_counter()
    people = await _load(loading, contacts)
    report: dict[str, Any] = {"contacts": len(people), "loading seconds": round(time.perf_counter() - began, 1)}
    await loading.execute("vacuum analyze contact")
    opened = Database(urls.app)
    before = _peak_mb()
    report |= await _scan(opened)
    report |= {"memory before MB": before, "memory after MB": _peak_mb()}
    report |= await _ask(opened, random.Random(1).sample(list(people), 200))
    found = [
        (row["older_id"], row["newer_id"])
        for row in await loading.fetch("select older_id, newer_id from duplicate_pair where score >= $1", REPORTED_FROM)
    ]
    right = sum(people[a] == people[b] for a, b in found)
    pairs = sum(comb(size, 2) for size in Counter(people.values()).values())
    report |= {
        "pairs": pairs,
        "found": len(found),
        "precision": round(right / len(found), 4),
        "recall": round(right / pairs, 4),
    }
    sizes = await loading.fetchrow(
        "select pg_relation_size('contact_match_keys') / 1000000 as keys, pg_relation_size('contact') / 1000000 as contacts,"
        " avg(cardinality(match_keys)) as each from contact"
    )
    report |= {
        "index of keys MB": sizes["keys"],
        "table MB": sizes["contacts"],
        "keys each": round(float(sizes["each"]), 1),
    }
    await opened.close()
    await loading.close()
    return report


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


async def _scan(database: Database) -> dict[str, Any]:
    seconds: Counter[str] = Counter()
    cpu = time.process_time()
    step: Step | None = Step()
    done = 0
    while step is not None:
        began = time.perf_counter()
        phase = step.phase
        async with database.write(_TENANT) as session:
            step = await scan_some(session, step)
        seconds[phase] += time.perf_counter() - began
        done += phase == "compare"
        if done and done % 100 == 0:
            print(done, dict(seconds), _peak_mb(), file=sys.stderr)
    told = {f"{phase} seconds": round(taken, 1) for phase, taken in seconds.items()}
    return {**told, "CPU seconds of the process": round(time.process_time() - cpu, 1)}


async def _ask(database: Database, ids: list[str]) -> dict[str, float]:
    """How long it takes to be told of one contact's duplicates, in milliseconds."""
    taken = []
    for id_ in ids:
        async with database.read(_TENANT) as session:
            began = time.perf_counter()
            await duplicates_of_contact(session, id_, least=REPORTED_FROM)
            taken.append(1000 * (time.perf_counter() - began))
    return {"asking ms, median": round(median(taken), 1), "asking ms, worst of 200": round(max(taken), 1)}


async def _load(connection: asyncpg.Connection, contacts: int) -> dict[str, str]:
    """The person of each contact, by its id."""
    people: dict[str, str] = {}
    statement = Sql(insert_of(ContactRow)).query
    piece: list[bytes] = []
    for record in _records(contacts):
        row = _row(record)
        people[row.id] = record.person
        piece.append(json_of(ContactRow, row))
        if len(piece) == _PIECE:
            await connection.execute(statement, together(piece))
            piece = []
    if piece:
        await connection.execute(statement, together(piece))
    return people


def _records(contacts: int) -> Iterator[Record]:
    """A piece of each kind after the other, so that memory holds one."""
    made = 0
    for seed in range(1_000_000):
        for make, region, some in ((chinese, "CN", 4_000), (dirty, "US", 2_000)):
            for row in normalised(make(seed, some), region):
                yield replace(Record(**row), person=f"{seed} {row['person']}")
                made += 1
                if made == contacts:
                    return


def _row(record: Record) -> ContactRow:
    values = vars(record)
    profile = profile_of(values)
    now = datetime.now(UTC)
    address = {name: values[name] or None for name in ("street", "district", "city", "region", "postal_code")}
    return new_row(
        ContactRow,
        tenant_id=_TENANT,
        id=str(ContactId.new()),
        version=1,
        created_at=now,
        updated_at=now,
        first_name=record.first_name or None,
        last_name=record.last_name or None,
        full_name=record.full_name or None,
        emails=[{"address": each, "primary": True, "verified": False} for each in profile.emails],
        email_keys=sorted(profile.emails),
        phones=[{"number": each, "label": None} for each in profile.phones],
        phone_numbers=sorted(profile.phones),
        birthday=profile.birthday,
        address=address if any(address.values()) else None,
        match_keys=key_numbers(_TENANT, profile),
    )


if __name__ == "__main__":
    main()
