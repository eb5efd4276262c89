"""Boots a fresh stack in a temporary folder, plays the week, shows the outcome, stops everything."""

import json
import re
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from crm_local.configuration import Configuration
from crm_local.demo.careful import CarefulClient, DemoFailed
from crm_local.demo.mailbox import Mailbox
from crm_local.demo.people import Cast
from crm_local.demo.rendering import customer_panel
from crm_local.demo.week import Week
from crm_local.errors import StackError
from crm_local.stack import LocalStack

_BUCKET = re.compile(r'crm_consumer_delay_seconds_bucket\{consumer="gateway\.view",le="([^"]+)",[^}]*\} ([0-9.e+]+)')


class _Bars:
    """A progress bar a step."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, title: str, done: int, total: int) -> None:
        if title not in self._tasks:
            self._tasks[title] = self._progress.add_task(title, total=total)
        self._progress.update(self._tasks[title], completed=done, total=total)


async def play_demo(configuration: Configuration, *, people: int, seed: int, output: Path, console: Console) -> int:
    """0 when the week went through; 1 with a sentence where it did not."""
    failed = False
    try:
        async with Mailbox() as mailbox:
            mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mailbox.port), "MAIL_FROM": "Relata <demo@example.com>"}
            started = time.monotonic()
            async with LocalStack(
                configuration, environment=mail, say=lambda line: console.print(line, style="dim")
            ) as stack:
                seconds = time.monotonic() - started
                console.print(f"A fresh stack on the {configuration.bus} event log was ready after {seconds:.1f} s.")
                await _play_on(stack, mailbox, people, seed, output, console)
    except* (DemoFailed, StackError, httpx.HTTPError, TimeoutError, OSError) as failures:
        console.print(f"[red]The demo failed: {_first(failures)}[/]")
        failed = True
    return 1 if failed else 0


def _first(failures: BaseExceptionGroup[BaseException]) -> str:
    failure: BaseException = failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return str(failure) or type(failure).__name__


async def _play_on(stack: LocalStack, mailbox: Mailbox, people: int, seed: int, output: Path, console: Console) -> None:
    key = str(stack.dev["api_key"])
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=stack.urls["gateway"], headers=headers, timeout=30) as client:
        columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as progress:
            week = Week(CarefulClient(client), mailbox, Cast(seed), people, _Bars(progress))
            await week.play()
        view = await week.settled(_most_eventful(week))
        console.print(customer_panel(view))
        output.write_text(json.dumps(view, ensure_ascii=False, indent=2) + "\n")
        console.print(f"The same as JSON: {output}")
        await _report(client, week, console)


def _most_eventful(week: Week) -> str:
    """The contact that most kinds of things happened to."""
    groups = [
        {deal["contact_id"] for deal in week.deals},
        {order["contact_id"] for order in week.orders},
        {t["contact_id"] for t in week.tickets},
    ]
    groups.append({contact["id"] for contact in week.contacts if contact["account_id"]})
    return max((str(contact["id"]) for contact in week.contacts), key=lambda one: sum(one in group for group in groups))


async def _report(client: httpx.AsyncClient, week: Week, console: Console) -> None:
    text = (await client.get("/metrics")).text  # counted since the gateway's last start
    buckets = [(float(bound.replace("+Inf", "inf")), float(count)) for bound, count in _BUCKET.findall(text)]
    total = buckets[-1][1] if buckets else 0
    console.print(
        f"{len(week.accounts)} companies, {len(week.contacts)} contacts, {len(week.deals)} deals, "
        f"{len(week.tickets)} tickets, {len(week.mailbox.messages)} mails; "
        f"{total:.0f} events reached the view, from commit to view "
        f"p50 {_quantile(buckets, 0.5)}, p99 {_quantile(buckets, 0.99)}."
    )


def _quantile(buckets: list[tuple[float, float]], share: float) -> str:
    """From the histogram, interpolated within its bucket as PromQL's histogram_quantile does."""
    if not buckets or not buckets[-1][1]:
        return "–"
    wanted, low, below = buckets[-1][1] * share, 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            if bound == float("inf"):
                return f"over {low * 1000:.0f} ms"
            return f"{(low + (bound - low) * (wanted - below) / max(count - below, 1)) * 1000:.0f} ms"
        low, below = bound, count
    return "–"
