"""An export: rows a second, memory at its peak, and the file's size, by format.

By itself it starts a stack and fills it: `python benchmarks/exports.py --rows 100000`.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from crm_local.configuration import Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.soak.memory import proportional_mb
from dataset import Filler

_LOOK_SECONDS: Final = 0.2
_COLUMNS: Final = [
    "id", "version", "created_at", "updated_at", "first_name", "last_name", "full_name", "email", "phone", "wechat",
    "title", "birthday", "language", "source", "lifecycle_stage", "tags", "address.city", "address.region",
    "external_ids.shop", "owner_id",
]  # fmt: skip


async def measured(stack: LocalStack, client: httpx.AsyncClient, format_: str) -> dict[str, Any]:
    """Of one export of all contacts, from the request to the last byte of its file."""
    process = psutil.Process(stack.pids["contacts"])
    idle = peak = proportional_mb(process.pid)
    child_peak = 0.0
    began = time.perf_counter()
    answer = await client.post("/v1/exports", json={"resource": "contacts", "format": format_, "columns": _COLUMNS})
    answer.raise_for_status()
    job: dict[str, Any] = {"status": "pending"}
    read_after = 0.0
    while job["status"] in ("pending", "running"):
        await asyncio.sleep(_LOOK_SECONDS)
        job = (await client.get(f"/v1/jobs/{answer.json()['job_id']}")).json()
        peak = max(peak, proportional_mb(process.pid))
        child_peak = max([child_peak, *(_resident_mb(child) for child in process.children())])
        if not read_after and job["progress"]["done"] == job["progress"]["total"]:
            read_after = time.perf_counter() - began
    seconds, rows = time.perf_counter() - began, job["progress"]["done"]
    gateway_idle = gateway_peak = proportional_mb(stack.pids["gateway"])
    began, size, looked = time.perf_counter(), 0, 0.0
    async with client.stream("GET", f"{answer.headers['location']}/file") as file:
        async for piece in file.aiter_raw():
            size += len(piece)
            if time.perf_counter() - looked > _LOOK_SECONDS:
                gateway_peak = max(gateway_peak, proportional_mb(stack.pids["gateway"]))
                looked = time.perf_counter()
    return {
        "status": job["status"],
        "rows": rows,
        "rows/s": round(rows / seconds),
        "records read after, s": round(read_after, 1),
        "contacts before and at the peak, MB": [round(idle), round(peak)],
        "its child at the peak, MB": round(child_peak),
        "file, MB": round(size / 1e6, 1),
        "downloaded, MB/s": round(size / 1e6 / (time.perf_counter() - began), 1),
        "gateway before and at the peak, MB": [round(gateway_idle), round(gateway_peak)],
    }


def _resident_mb(child: psutil.Process) -> float:
    try:
        return float(child.memory_info().rss) / 1e6
    except psutil.NoSuchProcess:
        return 0.0


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--formats", nargs="+", default=["csv", "ndjson", "xlsx"])
    chosen = parser.parse_args()
    with temporary_run_dir() as folder:
        async with LocalStack(Configuration(run_dir=Path(folder))) as stack:
            headers = {"Authorization": f"Bearer {stack.dev['api_key']}"}
            async with httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=300) as client:
                await Filler(stack, client).fill(chosen.rows)
                found = {format_: await measured(stack, client, format_) for format_ in chosen.formats}
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    asyncio.run(main())
