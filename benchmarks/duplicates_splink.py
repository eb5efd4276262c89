"""splink on the records of a file, as its documentation sets it up; run by `duplicates.py` in an environment of its own.

Reads rows of named columns as JSON, writes pairs of their numbers, each with a probability.
"""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

_COMPARISONS = {
    "birthday": lambda: cl.DateOfBirthComparison("birthday", input_is_string=True, datetime_format="%Y%m%d"),
    "email": lambda: cl.EmailComparison("email"),
    "phone": lambda: cl.DamerauLevenshteinAtThresholds("phone", [1, 2]).configure(term_frequency_adjustments=True),
    "street": lambda: cl.JaroWinklerAtThresholds("street", [0.95, 0.88]).configure(term_frequency_adjustments=True),
    "district": lambda: cl.JaroWinklerAtThresholds("district", [0.88]).configure(term_frequency_adjustments=True),
    "city": lambda: cl.JaroWinklerAtThresholds("city", [0.88]).configure(term_frequency_adjustments=True),
    "region": lambda: cl.ExactMatch("region").configure(term_frequency_adjustments=True),
    "postal_code": lambda: cl.DamerauLevenshteinAtThresholds("postal_code", [1, 2]),
    "company": lambda: cl.JaroWinklerAtThresholds("company", [0.92, 0.8]).configure(term_frequency_adjustments=True),
}
_BLOCKS = (
    ("first_name", "last_name"),
    ("last_name", "postal_code"),
    ("last_name", "city"),
    ("first_name", "city"),
    ("first_name", "postal_code"),
    ("full_name",),
    ("birthday",),
    ("email",),
    ("phone",),
    ("street",),
    ("last_name", "company"),
    ("first_name", "company"),
)
_CERTAIN = (("full_name", "birthday"), ("email",), ("full_name", "phone"), ("full_name", "street"))
_TRAINING = (("first_name", "last_name"), ("birthday",), ("email",), ("phone",), ("street",))


def link(rows: list[dict[str, Any]]) -> list[tuple[int, int, float]]:
    """Every pair that splink compares."""
    filled = {name for row in rows for name, value in row.items() if value}
    parted = {"first_name", "last_name"} <= filled
    names = (
        cl.ForenameSurnameComparison("first_name", "last_name", forename_surname_concat_col_name="full_name")
        if parted
        else cl.NameComparison("full_name").configure(term_frequency_adjustments=True)
    )
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[names, *(make() for name, make in _COMPARISONS.items() if name in filled)],
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in _BLOCKS if filled.issuperset(rule)],
        retain_matching_columns=False,
    )
    linker = Linker(DuckDBAPI().register(pa.Table.from_pylist(rows)), settings, log_level=logging.ERROR)
    certain = [block_on(*rule) for rule in _CERTAIN if filled.issuperset(rule)]
    linker.training.estimate_probability_two_random_records_match(certain, recall=0.6)
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    for rule in _TRAINING:
        if filled.issuperset(rule):
            try:
                linker.training.estimate_parameters_using_expectation_maximisation(
                    block_on(*rule), record_sample_proportion=1.0
                )
            except Exception as error:  # too few pairs agree on it: what other rounds have learned stands
                print(f"no training on {'+'.join(rule)}: {type(error).__name__}", file=sys.stderr)
    found = linker.inference.predict(threshold_match_probability=0.001).as_record_list()
    return [(pair["unique_id_l"], pair["unique_id_r"], pair["match_probability"]) for pair in found]


def main(asked: Path, answered: Path) -> None:
    logging.disable(logging.WARNING)
    rows = [
        {"unique_id": number, **{name: value or None for name, value in row.items()}}
        for number, row in enumerate(json.loads(asked.read_text()))
    ]
    began = time.perf_counter()
    pairs = link(rows)
    answered.write_text(json.dumps({"seconds": time.perf_counter() - began, "pairs": pairs}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
