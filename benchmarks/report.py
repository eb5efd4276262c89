"""The figures as a table for people, and as a plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_HEAD = ["operation", "contacts", "/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "PostgreSQL's", "client", "ratio (aim)"]
_BEGIN, _END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
_BAR, _ROW, _LEFT, _WIDTH = 14, 22, 330, 760


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """In Markdown. `CPU ms`: of all processes for one, and what of it is PostgreSQL's; `client`: the share of a core it took
    to ask.
    """
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    for row in rows:
        cells = [
            row["operation"],
            f"{row['contacts']:,}",
            f"{row['per_second']:,.0f}",
            *(f"{row[share]:.1f}" for share in ("p50", "p95", "p99")),
            f"{row['cpu_ms']:.2f}",
            f"{row['postgres_ms']:.2f}",
            f"{row['client_share']:.2f}",
            _against(row),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _against(row: Mapping[str, Any]) -> str:
    told = [
        f"{ratio:.2f} of {name}" + (f" ({row['aims'][name]})" if name in row["aims"] else "")
        for name, ratio in row["ratios"].items()
    ]
    if row["rate_aim"]:
        told.append(f"({row['rate_aim']:,.0f}/s)")
    if row["p95_aim"]:
        told.append(f"(p95 < {row['p95_aim']:.0f} ms)")
    if row["errors"]:
        told.append(f"{row['errors']} errors")
    return ", ".join(told)


def shares_of_aims(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, float]]:
    """Of each figure that has an aim, what share of the aim it reaches: 1 is met."""
    found = []
    for row in rows:
        about = f"{row['operation']}, {row['contacts']:,}"
        found += [(f"{about}, of {name}", row["ratios"][name] / aim) for name, aim in row["aims"].items()]
        if row["rate_aim"]:
            found.append((about, row["per_second"] / row["rate_aim"]))
        if row["p95_aim"]:
            found.append((about, row["p95_aim"] / row["p95"]))
    return found


def plot(rows: Sequence[Mapping[str, Any]]) -> str:
    """SVG: a bar for each aim, on a scale to twice the aim."""
    shares = shares_of_aims(rows)
    scale = (_WIDTH - _LEFT - 60) / 2
    height = _ROW * len(shares) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="12">'
    ]
    for number, (about, share) in enumerate(shares):
        top = 24 + number * _ROW
        colour = "#2a7" if share >= 1 else "#c63"
        length = min(share, 2) * scale
        parts += [
            f'<text x="{_LEFT - 8}" y="{top + 11}" text-anchor="end">{about}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{length:.1f}" height="{_BAR}" fill="{colour}"/>',
            f'<text x="{_LEFT + length + 4:.1f}" y="{top + 11}">{share:.2f}</text>',
        ]
    aim = _LEFT + scale
    parts += [
        f'<line x1="{aim}" y1="16" x2="{aim}" y2="{height - 8}" stroke="#333"/>',
        f'<text x="{aim}" y="12" text-anchor="middle">the aim</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def write_page(page: Path, result: Mapping[str, Any]) -> None:
    """Renews what stands between the page's two marks, and the plot beside it."""
    picture = page.with_suffix(".svg")
    picture.write_text(plot(result["rows"]))
    others = [f"- {name}: {value}" for name, value in result.items() if name != "rows"]
    told = "\n".join([table(result["rows"]), "", f"![shares of the aims]({picture.name})", "", *others])
    before, _, rest = page.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}\n{told}\n{_END}{after}")
