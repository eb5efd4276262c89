"""An import beside R4 (`references.py`): rows a second, of the first and the last tenth too, and memory at its peak.

By itself it starts a stack: `python benchmarks/imports.py --rows 100000`.
"""

import argparse
import asyncio
import csv
import io
import json
import random
import time
from pathlib import Path
from typing import Any, Final

import httpx
from crm_local.configuration import Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.soak.memory import proportional_mb
from references import copied_contacts
from settling import caught_up
from writes import cpu_seconds

_COPIED_ROWS: Final = 20_000
_LOOK_SECONDS: Final = 0.2
_SURNAMES: Final = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
_GIVEN: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英华文辉建国志玉"
_COLUMNS: Final = ("姓名", "手机", "邮箱", "公司", "城市", "省份", "生日", "来源", "标签", "external_ids.erp")


def table(rows: int, seed: int) -> bytes:
    """CSV of so many people, none of whom is there twice, and a company for fifty of them."""
    chance = random.Random(seed)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for number in range(rows):
        writer.writerow(
            (
                chance.choice(_SURNAMES) + chance.choice(_GIVEN) + chance.choice(_GIVEN),
                f"13{chance.choice('0123456789')}{number % 10**8:08d}",
                f"p{seed}.{number}@{chance.choice(('qq.com', '163.com', 'example.com'))}",
                f"第{chance.randrange(max(1, rows // 50))}测试有限公司",
                chance.choice(("杭州", "上海", "北京")),
                "浙江",
                f"{chance.randrange(1960, 2005)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}",
                "展会",
                f"新客户;{chance.choice('ABC')}级",
                f"E{seed}-{number:07d}",
            )
        )
    return text.getvalue().encode()


async def measured(
    stack: LocalStack, client: httpx.AsyncClient, content: bytes, name: str, duplicates: str = "allow"
) -> dict[str, Any]:
    """Of one import, from the request to the job's end."""
    before, pid = cpu_seconds(stack.pids).total(), stack.pids["contacts"]
    idle = peak = proportional_mb(pid)
    began = time.perf_counter()
    answer = await client.post("/v1/imports", files={"file": (name, content)}, data={"duplicates": duplicates})
    answer.raise_for_status()
    answered = time.perf_counter() - began
    job_id, marks = answer.json()["job_id"], [(0.0, 0)]
    job: dict[str, Any] = {"status": "pending"}
    while job["status"] in ("pending", "running"):
        await asyncio.sleep(_LOOK_SECONDS)
        job = (await client.get(f"/v1/jobs/{job_id}")).json()
        marks.append((time.perf_counter() - began, job["progress"]["done"]))
        peak = max(peak, proportional_mb(pid))
    seconds, done = marks[-1]
    spent = cpu_seconds(stack.pids).total() - before
    found = (await client.get(f"/v1/imports/{answer.json()['id']}")).json()
    return {
        "status": job["status"],
        "rows": done,
        "rows/s": round(done / seconds),
        "first tenth, rows/s": round(done / 10 / _until(marks, done / 10)),
        "last tenth, rows/s": round(done / 10 / (seconds - _until(marks, done * 0.9))),
        "answered after, s": round(answered, 2),
        "contacts before and at the peak, MB": [round(idle), round(peak)],
        "CPU of all processes, ms a row": round(spent / done * 1000, 2),
        "counts": {name: number for name, number in found["counts"].items() if number},
    }


def _until(marks: list[tuple[float, int]], rows: float) -> float:
    return next(moment for moment, done in marks if done >= rows)


async def compared(
    stack: LocalStack, client: httpx.AsyncClient, rows: int, duplicates: str = "allow"
) -> dict[str, Any]:
    """An import, with what it is of R4 in the same run."""
    found = await measured(stack, client, table(rows, seed=1), "people.csv", duplicates)
    await caught_up(stack)
    copied = await copied_contacts(stack, _COPIED_ROWS)
    return {**found, "COPY (R4), rows/s": round(copied), "of R4": round(found["rows/s"] / copied, 3)}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--duplicates", choices=("allow", "report", "refuse"), default="allow")
    chosen = parser.parse_args()
    with temporary_run_dir() as folder:
        async with LocalStack(Configuration(run_dir=Path(folder))) as stack:
            headers = {"Authorization": f"Bearer {stack.dev['api_key']}"}
            async with httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=120) as client:
                print(
                    json.dumps(
                        await compared(stack, client, chosen.rows, chosen.duplicates), indent=1, ensure_ascii=False
                    )
                )


if __name__ == "__main__":
    asyncio.run(main())
