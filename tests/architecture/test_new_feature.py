"""`make new-feature` writes a feature that works as it is."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from crm_testkit.new_feature import NotPossible, singular_of, write_feature

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for part in ("shared/contracts/src", "services/contacts-svc/src", "services/pipeline-svc/src"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return tmp_path


@pytest.mark.parametrize("service", ["contacts", "pipeline"])
def test_a_new_feature_serves_at_once(copy: Path, service: str) -> None:
    write_feature(copy, service, "loyalty_cards")
    sources = [str(copy / "shared/contracts/src"), str(copy / f"services/{service}-svc/src")]
    answer = subprocess.run(
        [sys.executable, "-m", f"{service}_svc", "openapi"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sources)}, capture_output=True, text=True, check=False, cwd=copy,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    paths = json.loads(answer.stdout)["paths"]
    assert set(paths["/v1/loyalty-cards"]) == {"get", "post"}
    assert set(paths["/v1/loyalty-cards/{entity_id}"]) == {"get", "patch", "delete"}


def test_a_new_feature_type_checks(copy: Path) -> None:
    write_feature(copy, "contacts", "loyalty_cards")
    sources = [str(copy / "shared/contracts/src"), str(copy / "services/contacts-svc/src")]
    feature = "services/contacts-svc/src/contacts_svc/features/loyalty_cards"
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), feature]
    environment = {**os.environ, "MYPYPATH": os.pathsep.join(sources)}
    types = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert types.returncode == 0, types.stdout


@pytest.mark.parametrize(("service", "name"), [("billing", "notes"), ("contacts", "Note"), ("contacts", "contacts")])
def test_what_cannot_be_is_refused_and_nothing_written(copy: Path, service: str, name: str) -> None:
    before = sorted(copy.rglob("*"))
    with pytest.raises(NotPossible):
        write_feature(copy, service, name)
    assert sorted(copy.rglob("*")) == before


@pytest.mark.parametrize(("plural", "singular"), [("notes", "note"), ("activities", "activity"), ("boxes", "box")])
def test_singulars(plural: str, singular: str) -> None:
    assert singular_of(plural) == singular
