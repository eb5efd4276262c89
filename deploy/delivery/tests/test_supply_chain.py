"""What is in the images is listed, and under licences that were looked at."""

import json
from pathlib import Path

import pytest
from crm_delivery.supply_chain import Library, Unreachable, audit, libraries, names, refused, write_sbom


def test_every_library_has_a_licence_that_is_allowed() -> None:
    found = libraries()
    assert len(found) == len(names()) > 50
    assert refused(found) == []


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND BSD-2-Clause", True),
        ("Apache-2.0 OR GPL-3.0", True),
        ("GPL-3.0", False),
        ("MIT AND AGPL-3.0", False),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("UNKNOWN", False),
        ("", False),
    ],
)
def test_licences_are_judged_by_what_joins_them(licence: str, allowed: bool) -> None:
    assert Library("a", "1", licence).is_allowed == allowed


def test_the_bill_of_materials_names_every_library_with_its_hashes_the_same_each_time(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_sbom(tmp_path / name)
    text = (tmp_path / "first").read_text()
    assert text == (tmp_path / "second").read_text()
    assert "http://" not in text.replace("http://cyclonedx.org", "")
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert sorted(each["name"] for each in bill["components"]) == sorted(names())
    assert all(each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}" for each in bill["components"])


def auditor(folder: Path, said: object) -> Path:
    """A program that says what pip-audit says in its JSON."""
    program = folder / "pip-audit"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({'dependencies': said})}\nEND\n")
    program.chmod(0o755)
    return program


def test_faults_are_told_with_the_release_that_mends_them(tmp_path: Path) -> None:
    fault = {"id": "PYSEC-1", "fix_versions": ["2.0"], "aliases": [], "description": ""}
    said = [{"name": "a", "version": "1.0", "vulns": [fault]}, {"name": "b", "version": "1.0", "vulns": []}]
    assert audit(auditor(tmp_path, said)) == ["a 1.0: PYSEC-1, mended in 2.0"]


def test_what_could_not_be_looked_up_is_not_taken_for_faultless(tmp_path: Path) -> None:
    said = [{"name": "a", "version": "1.0", "vulns": []}, {"name": "b", "skip_reason": "Dependency not found"}]
    with pytest.raises(Unreachable, match="of 2 libraries 1 could not be looked up: Dependency not found"):
        audit(auditor(tmp_path, said))
