"""One customer's view as a person would like to read it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text


def _money(value: Mapping[str, Any] | None) -> str:
    return f"{float(value['amount']):,.2f} {value['currency']}" if value else "–"


def _facts(rows: Sequence[tuple[str, object]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        table.add_row(Text(name, style="dim"), str(value) if value not in (None, "", []) else "–")
    return table


def _list(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> RenderableType:
    if not rows:
        return Text(f"{title}: –", style="dim")
    table = Table(*headings, title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    return table


def customer_panel(view: Mapping[str, Any]) -> Panel:
    """The whole view, for a terminal."""
    profile, sales, support, marketing = view["profile"], view["sales"], view["support"], view["marketing"]
    who = _facts(
        [
            ("Stage", view["lifecycle_stage"]),
            ("Company", (view["account"] or {}).get("name")),
            ("E-mail", ", ".join(email["address"] for email in profile.get("emails", []))),
            ("Phone", ", ".join(phone["number"] for phone in profile.get("phones", []))),
            ("Tags", ", ".join(view["tags"])),
            ("Consents", ", ".join(f"{c}/{p}: {s}" for c, by in view["consents"].items() for p, s in by.items())),
        ]
    )
    money = _facts(
        [
            ("Open deals", _money(sales["open_value"])),
            ("Won", _money(sales["won_value"])),
            ("Orders", sales["orders"]["count"]),
            ("Order total", _money(sales["orders"]["total"])),
            ("Tickets", ", ".join(f"{status} {count}" for status, count in support["counts"].items())),
        ]
    )
    deals = [[deal["name"], _money(deal["amount"]), deal["stage_name"] or "–"] for deal in sales["open_deals"]]
    orders = [[o["number"], o["placed_at"][:10], _money(o["total"]), o["status"]] for o in sales["orders"]["recent"]]
    tickets = [[f"#{t['number']}", t["subject"], t["status"]] for t in support["open_tickets"]]
    mails = [[m["subject"] or m["campaign_name"], m["status"]] for m in marketing["recent_messages"]]
    timeline = [[e["at"][:16].replace("T", " "), e["kind"], e["title"] or ""] for e in view["timeline"][:12]]
    return Panel(
        Group(
            Columns([who, money], padding=(0, 6)),
            "",
            _list("Open deals", ("Deal", "Amount", "Stage"), deals),
            _list("Orders", ("Number", "Date", "Total", "Status"), orders),
            _list("Open tickets", ("", "Subject", "Status"), tickets),
            _list("Messages", ("Subject", "Fate"), mails),
            "",
            _list("Timeline", ("When", "What", ""), timeline),
        ),
        title=f"[bold]{profile.get('full_name') or profile.get('name')}[/]  [dim]{view['id']}[/]",
        subtitle=f"version {view['version']}, as of {view['as_of']}",
        border_style="cyan",
    )
