"""Settings out of an environment: what is wrong is said in one line, by its variable and without its value."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
from crm_kit.environment import probably_meant, read_secret
from crm_kit.settings import Secret, ServiceSettings, SettingsError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

_SECRET = "only-for-tests-0123456789abcdefgh"
_GOOD = {
    "TOY_DATABASE_URL": "postgresql://toy:hunter2@db/toy",
    "TOY_SYSTEM_DATABASE_URL": "postgresql://toy:hunter2@db/toy",
    "EVENT_LOG_URL": "postgresql://log:hunter2@db/log",
    "SECRET": _SECRET,
}


class ToySettings(ServiceSettings):
    toy_password: Annotated[str | None, Secret()] = Field(None, min_length=4, description="A secret of one service")


def load(**changed: str | Path | None) -> ToySettings:
    environment = {name: str(value) for name, value in {**_GOOD, **changed}.items() if value is not None}
    return ToySettings.load("toy", environment)


def refused(**changed: str | Path | None) -> str:
    with pytest.raises(SettingsError) as error:
        load(**changed)
    assert error.value.__cause__ is None, "a traceback would show values"
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_wrong_value_is_named_at_once_and_none_is_shown() -> None:
    said = refused(PORT="hunter2", LOG_LEVEL="LOUD", SECRET="hunter2", TOY_DATABASE_URL=None, TOY_PASSWORD="h2")
    assert "hunter2" not in said
    assert "h2" not in said.replace("hunter2", "")
    names = [fault.partition(":")[0] for fault in said.split("; ") if ":" in fault]
    assert sorted(names) == ["LOG_LEVEL", "PORT", "SECRET", "TOY_DATABASE_URL", "TOY_PASSWORD"]


def test_what_does_not_go_together_is_named_at_once() -> None:
    said = refused(SECRET="change-me-0123456789abcdefghijklmnop", BUS="kafka", KAFKA_SECURITY_PROTOCOL="SASL_SSL")
    for name in ("SECRET", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"):
        assert f"{name}: " in said


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load(PORT="", LOG_LEVEL="").port == 8000
    assert refused(SECRET="").startswith("SECRET: is needed; or SECRET_FILE")


def test_another_services_url_is_not_taken() -> None:
    said = refused(TOY_DATABASE_URL=None, DATABASE_URL="postgresql://another")
    assert said.startswith("TOY_DATABASE_URL: is needed")


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_comes_from_a_file_without_its_last_line_feed(tmp_path: Path, end: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f"{_SECRET}{end}".encode())
    settings = load(SECRET=None, SECRET_FILE=file)
    assert settings.secret == _SECRET


def test_only_what_is_secret_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "host"
    file.write_text("0.0.0.0")
    assert load(HOST_FILE=file).host == "127.0.0.1"


def test_what_is_wrong_with_files_is_said_of_all_of_them(tmp_path: Path) -> None:
    file, empty, large, binary = (tmp_path / name for name in ("file", "empty", "large", "binary"))
    file.write_text(_SECRET)
    empty.write_text("\n")
    large.write_text("x" * 70_000)
    binary.write_bytes(b"\xff\xfe")
    said = refused(
        SECRET_FILE=file,
        TOY_DATABASE_URL=None,
        TOY_DATABASE_URL_FILE=tmp_path / "nowhere",
        TOY_SYSTEM_DATABASE_URL=None,
        TOY_SYSTEM_DATABASE_URL_FILE=empty,
        TOY_OWNER_DATABASE_URL_FILE=large,
        TOY_PASSWORD_FILE=binary,
    )
    assert "SECRET: is set, and SECRET_FILE is too; give one of them" in said
    assert f"TOY_DATABASE_URL_FILE: {tmp_path}/nowhere cannot be read: No such file or directory" in said
    assert f"TOY_SYSTEM_DATABASE_URL_FILE: {empty} is empty" in said
    assert f"TOY_OWNER_DATABASE_URL_FILE: {large} is too large for a secret" in said
    assert f"TOY_PASSWORD_FILE: {binary} is not UTF-8" in said


def test_a_wrong_value_out_of_a_file_is_told_by_the_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("short")
    assert refused(SECRET=None, SECRET_FILE=file).startswith("SECRET_FILE: ")


def test_a_password_of_a_file_of_its_own_stands_in_the_url(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("h/un:t@er 2\n")
    settings = load(
        TOY_DATABASE_URL="postgresql://toy@db:5432,other:5432/toy?sslmode=require",
        TOY_DATABASE_PASSWORD_FILE=file,
        EVENT_LOG_URL="postgresql://log@db/log",
        EVENT_LOG_PASSWORD="hunter3",
    )
    assert settings.database_url == "postgresql://toy:h%2Fun%3At%40er%202@db:5432,other:5432/toy?sslmode=require"
    assert settings.event_log_url == "postgresql://log:hunter3@db/log"
    assert settings.system_database_url == _GOOD["TOY_SYSTEM_DATABASE_URL"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (None, "is needed where TOY_DATABASE_PASSWORD is given"),
        ("postgresql://toy:hunter2@db/toy", "must name a user and hold no password, since TOY_DATABASE_PASSWORD is given"),
        ("postgresql://db/toy", "must name a user and hold no password, since TOY_DATABASE_PASSWORD is given"),
    ],
)  # fmt: skip
def test_a_password_without_a_place_in_its_url_is_refused(url: str | None, told: str) -> None:
    said = refused(TOY_DATABASE_URL=url, TOY_DATABASE_PASSWORD="hunter3")
    assert said == f"TOY_DATABASE_URL: {told}"


@given(st.text(min_size=1, max_size=50).filter(lambda text: not text.endswith(("\n", "\r"))))
def test_a_file_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("secrets") / "one"
    file.write_bytes(f"{text}\n".encode())
    assert read_secret(file) == text


def test_no_secret_stands_in_the_settings_text() -> None:
    assert "hunter2" not in repr(load(TOY_PASSWORD="hunter2"))
    assert "hunter2" not in str(load(TOY_PASSWORD="hunter2"))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("TOY_DATABSE_URL", "TOY_DATABASE_URL"),
        ("DATABSE_URL", "TOY_DATABASE_URL"),
        ("DATABASE_URL", "TOY_DATABASE_URL"),
        ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"),
        ("SHUTDOWN_GRACE_SECOND", "SHUTDOWN_GRACE_SECONDS"),
        ("SECRET_FIEL", "SECRET_FILE"),
        ("CONTACTS_DATABASE_URL", None),
        ("PATH", None),
        ("HOSTNAME", None),
        ("PYTHONPATH", None),
        ("VIRTUAL_ENV", None),
    ],
)
def test_a_misspelled_variable_is_noticed(given: str, meant: str | None) -> None:
    environment = {"SECRET": _SECRET, given: "x"}
    found = probably_meant(ToySettings, "toy", environment)
    assert found.get(given) == meant


def test_what_is_set_rightly_is_never_called_misspelled() -> None:
    environment = {**_GOOD, "KAFKA_BOOTSTRAP_SERVERS": "h:1", "KAFKA_BOOTSTRAP_SERVER": "h:1"}
    assert probably_meant(ToySettings, "toy", environment) == {}


def test_a_process_ends_with_one_line() -> None:
    wrong = {"PORT": "hunter2", "SECRET": "hunter2", "PATH": os.environ["PATH"]}
    program = "from crm_kit.cli import run; from crm_testkit.toy_service.manifest import MANIFEST; run(MANIFEST)"
    ended = subprocess.run(
        [sys.executable, "-c", program, "serve"], env=wrong, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert "PORT: " in line
    assert "SECRET: " in line
    assert "TOY_DATABASE_URL: " in line
    assert "hunter2" not in line
