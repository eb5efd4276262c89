"""What we ask for twice is a test. Each says what to do when it fails."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# Words of the business, but those that plain English and SQL need too: order, lead, quote, segment.
CRM_NOUNS = re.compile(
    r"(?<![a-z])(contacts?|accounts?|deals?|pipelines?|tickets?|campaigns?|customers?|consents?|coupons?|journeys?|"
    r"salesperson|invoices?)(?![a-z])"
)
FEATURE_FILES = {
    "__init__", "router", "schemas", "usecases", "rules", "repository", "models", "events", "errors", "resource",
    "consumers", "timers", "jobs",
}  # fmt: skip


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def python_files() -> list[Path]:
    return tracked("*.py")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_kit_knows_no_business_noun() -> None:
    found = []
    for path in tracked("shared/kit/src/**/*.py"):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type in (tokenize.NAME, tokenize.STRING):
                words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", token.string).replace("_", " ").lower()
                if match := CRM_NOUNS.search(words):
                    found.append(f"{shown(path)}:{token.start[0]}: {match.group()}")
    assert not found, "The kit must run any service; move these into the service:\n" + "\n".join(found)


def test_files_and_functions_stay_short() -> None:
    found = []
    for path in python_files():
        if "migrations/versions" in str(path):
            continue
        text = path.read_text()
        if (lines := text.count("\n")) > MAX_FILE_LINES:
            found.append(f"{shown(path)}: {lines} lines, at most {MAX_FILE_LINES}: is there more than one room in it?")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    found.append(f"{shown(path)}:{node.lineno}: {node.name} has {length} lines")
    assert not found, "\n".join(found)


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def test_every_ignore_has_its_reason_beside_it() -> None:
    bare = re.compile(r"#\s*(type:\s*ignore|noqa)(\[[\w,-]+\]|:\s*[A-Z0-9, ]+)?\s*$")
    blanket = re.compile(r"#\s*(type:\s*ignore(?!\[)|noqa(?!:))")
    found = [
        f"{shown(path)}:{line}: {comment}"
        for path in python_files()
        for line, comment in _comments(path)
        if bare.search(comment) or blanket.search(comment)
    ]
    assert not found, "Name the rule, and say why, behind each:\n" + "\n".join(found)


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "managers", "processor"}
    found = [shown(path) for path in python_files() if path.stem in drawers or path.parent.name in drawers]
    assert not found, f"Name these by what they hold: {found}"


def test_features_have_the_same_file_names_everywhere() -> None:
    found = [
        shown(path)
        for path in tracked("services/*/src/*/features/*/*.py")
        if path.parts[path.parts.index("features") + 2].removesuffix(".py") not in FEATURE_FILES  # or a package of that name
    ]  # fmt: skip
    assert not found, f"A feature's files are {sorted(FEATURE_FILES)}; not: {found}"


def test_tests_patch_none_of_our_modules() -> None:
    patching = re.compile(r"\bmonkeypatch\.setattr|\bmock\.patch|\bmocker\.patch|\bfrom unittest import mock\b")
    found = [
        f"{shown(path)}:{number}"
        for path in tracked("**/tests/**/*.py", "tests/**/*.py", "shared/testkit/**/*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if path != Path(__file__) and patching.search(line)
    ]
    assert not found, f"Use the public door, or a fake at a port: {found}"


def test_tests_are_collected_by_path() -> None:
    found = [shown(path) for path in tracked("**/tests/**/__init__.py", "tests/**/__init__.py")]
    assert not found, f"Test folders are no packages (--import-mode=importlib): {found}"


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a registry's host", r"py" r"pi\.(org|io)|python" r"hosted|registry\.np" r"mjs|repo1?\.mav" r"en\b"),
        ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    ],
)
def test_nothing_tracked_holds(what: str, pattern: str) -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if re.search(pattern, text):
            found.append(shown(path))
    assert not found, f"{what} stands in {found}"


def test_nothing_tracked_is_large() -> None:
    found = [shown(path) for path in tracked() if path.stat().st_size > 1_000_000]
    assert not found, f"Over 1 MB: {found}"


def test_every_problem_has_a_code_of_its_own() -> None:
    """Two services that name one code say of it what they like; what several of them say is the kit's (`crm_kit/errors.py`)."""
    codes = [
        code for path in tracked("*/errors.py") for code in re.findall(r'^    code = "(\w+)"', path.read_text(), re.M)
    ]
    assert len(codes) > 50
    assert sorted(codes) == sorted(set(codes))


def test_every_package_names_its_dependencies() -> None:
    """What a package imports from outside stands in its own pyproject.toml, and all of that in requirements.lock."""
    import tomllib

    def normal(name: str) -> str:
        return re.split(r"[\[<>=!~; ]", name)[0].lower().replace("_", "-")

    ours = {"crm-contracts", "crm-kit", "crm-testkit", "crm-local"}
    locked = {normal(line) for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line}
    missing = []
    for path in tracked("*/pyproject.toml", "*/*/pyproject.toml"):
        declared = tomllib.loads(path.read_text())["project"]["dependencies"]
        assert declared or path.parent.name == "contracts", f"{shown(path)} names no dependencies"
        missing += [f"{shown(path)}: {name}" for name in declared if normal(name) not in locked | ours]
    assert not missing, f"Not in requirements.lock (make lock): {missing}"
