"""How well duplicates are told, beside splink on the same records: precision, recall and F1 on labelled data."""

import argparse
import json
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

from contacts_svc.features.contacts.rules import InvalidPhone, normalise_phone
from contacts_svc.features.matching.rules.comparing import findings
from contacts_svc.features.matching.rules.keys import COMPARED_FROM, evidence, match_keys
from contacts_svc.features.matching.rules.learning import learn
from contacts_svc.features.matching.rules.profile import Profile
from contacts_svc.features.matching.rules.scoring import REPORTED_FROM, assess
from contacts_svc.features.matching.rules.statistics import Statistics
from duplicates_chinese import chinese
from duplicates_data import Record, febrl, from_csv
from duplicates_dirty import dirty
from duplicates_held_out import europeans, organisations

Pair = tuple[int, int]

_REGIONS = {"chinese": "CN", "held out: europeans": "DE"}

_SPLINK_REPORTS_FROM = 0.5
"""A match more likely than not: splink has no default of its own."""


def main() -> None:
    arguments = _arguments()
    sets: dict[str, Callable[[], list[Record]]] = {}
    for number in (1, 2):
        path = arguments.febrl / f"dataset{number}.csv"
        if path.exists():
            sets[f"febrl {number}"] = lambda path=path: febrl(path)
        else:
            print(f"febrl {number} is left out: there is no {path}")
    sets |= {"chinese": chinese, "dirty": dirty, "held out: europeans": europeans, "held out: sites": organisations}
    sets |= {path.stem: lambda path=path: from_csv(path) for path in arguments.csv}
    report = {}
    for name, make in sets.items():
        if arguments.only and name not in arguments.only:
            continue
        records = normalised(make(), _REGIONS.get(name, "US"))
        report[name] = measure(records, arguments.splink_python, arguments.errors)
        _print(name, report[name])
    if arguments.report:
        arguments.report.write_text(json.dumps(report, indent=1) + "\n")
    if arguments.page:
        arguments.page.write_text(_page(report))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--febrl", type=Path, default=Path("../shared/data/febrl"))
    parser.add_argument("--csv", type=Path, nargs="*", default=[], help="labelled files with the columns of Record")
    parser.add_argument("--splink-python", type=Path, help="an interpreter that has splink; without one it is left out")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--page", type=Path, help="the table, for people")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--errors", type=int, default=0, help="how many wrong pairs to print")
    return parser.parse_args()


def normalised(records: Sequence[Record], region: str) -> list[dict[str, str]]:
    """As Relata would hold them, so that both sides are given the same."""
    rows = []
    for record in records:
        row = asdict(record)
        if row["phone"]:
            try:
                row["phone"] = normalise_phone(row["phone"], region)
            except InvalidPhone:
                row["phone"] = "".join(each for each in row["phone"] if each.isdigit())
        row["full_name"] = row["full_name"] or " ".join(filter(None, (row["first_name"], row["last_name"])))
        rows.append({name: value.casefold() if name != "person" else value for name, value in row.items()})
    return rows


def measure(rows: Sequence[Mapping[str, str]], splink_python: Path | None, errors: int) -> dict[str, Any]:
    people = [row["person"] for row in rows]
    began = time.perf_counter()
    pairs, statistics = ours(rows)
    seconds = time.perf_counter() - began
    report = {
        "records": len(rows),
        "pairs": sum(comb(size, 2) for size in Counter(people).values()),
        "ours": {**_quality(people, pairs, REPORTED_FROM), "seconds": round(seconds, 2), "compared": len(pairs)},
    }
    report["ours"]["found by keys"] = round(sum(people[a] == people[b] for a, b in pairs) / report["pairs"], 4)
    report["ours"]["compared for a record"] = round(len(pairs) / len(rows), 1)
    if splink_python is not None:
        pairs_of_splink, seconds = splink(rows, splink_python)
        report["splink"] = {**_quality(people, pairs_of_splink, _SPLINK_REPORTS_FROM), "seconds": round(seconds, 2)}
    if errors:
        _print_errors(rows, people, pairs, errors, statistics)
    return report


def profile_of(row: Mapping[str, str]) -> Profile:
    address = {name: row[name] for name in ("street", "district", "city", "region", "postal_code") if row[name]}
    return Profile.of(
        first_name=row["first_name"] or None,
        last_name=row["last_name"] or None,
        full_name=row["full_name"] or None,
        emails=[{"address": row["email"]}] if row["email"] else [],
        phones=[{"number": row["phone"]}] if row["phone"] else [],
        birthday=_date(row["birthday"]),
        address=address or None,
        company=row["company"] or None,
    )


def _date(text: str) -> date | None:
    for form in ("%Y%m%d", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  # a birthday has no zone
        except ValueError:
            continue
    return None


def ours(rows: Sequence[Mapping[str, str]]) -> tuple[dict[Pair, float], Statistics]:
    """Scores of the pairs that share a key, and what was learned of all records."""
    profiles = [profile_of(row) for row in rows]
    blocks: dict[str, list[int]] = defaultdict(list)
    for number, profile in enumerate(profiles):
        for key in match_keys(profile):
            blocks[key].append(number)
    statistics = Statistics.of(profiles, {key: len(block) for key, block in blocks.items()})
    worth: Counter[Pair] = Counter()
    for key, block in blocks.items():
        if good_for := evidence(key, len(block), len(rows)):
            worth.update(dict.fromkeys(combinations(block, 2), good_for))
    sought = [pair for pair, good_for in worth.items() if good_for >= COMPARED_FROM]
    found = [list(findings(profiles[a], profiles[b], statistics)) for a, b in sorted(sought)]
    statistics = replace(statistics, weights=learn(found, len(rows), statistics.counted_as))
    scores = {(a, b): assess(profiles[a], profiles[b], statistics).score for a, b in sought}
    return scores, statistics


def splink(rows: Sequence[Mapping[str, str]], python: Path) -> tuple[dict[Pair, float], float]:
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder, "asked.json"), Path(folder, "answered.json")
        asked.write_text(json.dumps([{name: value for name, value in row.items() if name != "person"} for row in rows]))
        script = Path(__file__).with_name("duplicates_splink.py")
        subprocess.run([python, "-W", "ignore", script, asked, answered], check=True)
        answer = json.loads(answered.read_text())
    return {(min(a, b), max(a, b)): score for a, b, score in answer["pairs"]}, answer["seconds"]


def _quality(people: Sequence[str], scores: Mapping[Pair, float], threshold: float) -> dict[str, Any]:
    """At the threshold, and at the one that would have been best."""
    true_pairs = sum(comb(size, 2) for size in Counter(people).values())
    ranked = sorted(((score, people[a] == people[b]) for (a, b), score in scores.items()), reverse=True)
    best, at, right = (0.0, 1.0), [], 0
    for number, (score, is_right) in enumerate(ranked, start=1):
        right += is_right
        if number < len(ranked) and ranked[number][0] == score:
            continue
        f1 = 2 * right / (number + true_pairs)
        best = max(best, (f1, score))
        if score >= threshold:
            at = [right / number, right / true_pairs, f1]
    precision, recall, f1 = at or [1.0, 0.0, 0.0]
    return {
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(f1, 4),
        "best f1": round(best[0], 4),
        "at": round(best[1], 4),
    }


def _print(name: str, report: Mapping[str, Any]) -> None:
    print(f"{name}: {report['records']} records, {report['pairs']} pairs")
    for side in ("ours", "splink"):
        if side in report:
            print(f"  {side:7}", *(f"{what} {value}" for what, value in report[side].items()), sep="  ")


_PAGE = """# Duplicates: figures

Written by `make bench-duplicates`, which runs both sides on the same records: [splink](https://github.com/moj-analytical-services/splink)
5.0.0 as its documentation sets it up (`benchmarks/duplicates_splink.py`), and the rules of contacts-svc with their defaults and what
they learn from the records themselves, unlabelled. Counted are pairs. *At best* is F1 at the threshold that would have been
best; a pair is reported from {ours} on, and by splink from {splink}. *By keys*: which of the true pairs are compared at all.

| records | pairs | | precision | recall | F1 | F1 at best | by keys | compared for a record | seconds |
|---|---|---|---|---|---|---|---|---|---|
{rows}

`febrl` are its data sets 1 and 2; the others are made by `benchmarks/duplicates_*.py`, seeded. Those *held out* were made after
the rules were fixed.

A labelled file of your own: `make bench-duplicates CSV=FILE`, with the columns {columns}.
"""


def _page(report: Mapping[str, Any]) -> str:
    rows = []
    for name, measured in report.items():
        for side in ("ours", "splink"):
            if (found := measured.get(side)) is None:
                continue
            head = f"{name}: {measured['records']:,} | {measured['pairs']:,}" if side == "ours" else " | "
            figures = [f"{found[what]:.3f}" for what in ("precision", "recall", "f1", "best f1")]
            blocking = [str(found.get(what, "")) for what in ("found by keys", "compared for a record")]
            rows.append(" | ".join(["| " + head, side, *figures, *blocking, f"{found['seconds']:.1f} |"]))
    columns = ", ".join(f"`{name}`" for name in Record.__dataclass_fields__)
    return _PAGE.format(ours=REPORTED_FROM, splink=_SPLINK_REPORTS_FROM, rows="\n".join(rows), columns=columns)


def _print_errors(
    rows: Sequence[Mapping[str, str]],
    people: Sequence[str],
    scores: Mapping[Pair, float],
    most: int,
    statistics: Statistics,
) -> None:
    by_person = defaultdict(list)
    for number, person in enumerate(people):
        by_person[person].append(number)
    missed = [
        pair for same in by_person.values() for pair in combinations(same, 2) if scores.get(pair, 0.0) < REPORTED_FROM
    ]
    wrong = [pair for pair, score in scores.items() if score >= REPORTED_FROM and people[pair[0]] != people[pair[1]]]
    for title, pairs in (("missed", missed), ("wrong", wrong)):
        print(f"  {title}: {len(pairs)}")
        for a, b in pairs[:: max(1, len(pairs) // most)][:most]:
            print("   ", {name: value for name, value in rows[a].items() if value})
            print("   ", {name: value for name, value in rows[b].items() if value})
            said = assess(profile_of(rows[a]), profile_of(rows[b]), statistics)
            print("     ", scores.get((a, b), "no key"), [(f, level, round(w, 1)) for f, level, w in said.why])


if __name__ == "__main__":
    main()
