"""What is in the images is listed, and under licences that were looked at."""

import json
from pathlib import Path

import pytest
from crm_delivery.supply_chain import Library, libraries, names, refused, write_sbom


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
