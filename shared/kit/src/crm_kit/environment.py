"""Settings out of environment variables and files: their names, what is wrong with them, which were probably misspelled."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

_DATABASES: Final = ("database", "system_database", "owner_database")
OF_ONE_SERVICE: Final = frozenset(f"{database}_{part}" for database in _DATABASES for part in ("url", "password"))
"""Settings whose variables begin with the service's name: one environment may hold those of several."""
_FROM_FILE: Final = "_FILE"
_MOST_BYTES: Final = 64 * 1024
_ALIKE: Final = 0.85
_SHORTEST: Final = 6


class SettingsError(Exception):
    """Settings are missing or wrong; the text names each variable and says what it should be."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Marks a field whose value is never shown, and may come from the file that `<VARIABLE>_FILE` names."""


@dataclass(frozen=True, slots=True)
class Given:
    """What an environment says: values by field, and of those from files where they came from."""

    values: Mapping[str, str]
    files: Mapping[str, Path]


def is_secret(field: FieldInfo) -> bool:
    return any(isinstance(mark, Secret) for mark in field.metadata)


def variable(service: str, field: str) -> str:
    """The environment variable of a field."""
    return f"{service.upper()}_{field.upper()}" if field in OF_ONE_SERVICE else field.upper()


def read(model: type[BaseModel], service: str, environment: Mapping[str, str]) -> Given:
    """An empty variable counts as one that is not there, as compose files write them. Raises SettingsError for files.

    The password of a field `…_password` stands in that of `…_url` afterwards, and nowhere else.
    """
    values: dict[str, str] = {}
    files: dict[str, Path] = {}
    faults = []
    for field, info in model.model_fields.items():
        name = variable(service, field)
        value, path = environment.get(name), environment.get(name + _FROM_FILE) if is_secret(info) else None
        if value and path:
            faults.append(f"{name}: is set, and {name}{_FROM_FILE} is too; give one of them")
        elif path:
            files[field] = Path(path)
            try:
                values[field] = read_secret(files[field])
            except OSError as error:
                faults.append(f"{name}{_FROM_FILE}: {path} cannot be read: {error.strerror or error}")
            except ValueError as error:
                faults.append(f"{name}{_FROM_FILE}: {path} {error}")
        elif value:
            values[field] = value
    faults += _put_passwords_into_urls(model, service, values)
    refuse(faults)
    return Given(values, files)


def _put_passwords_into_urls(model: type[BaseModel], service: str, values: dict[str, str]) -> Iterator[str]:
    """Who keeps passwords in files of their own need not write addresses into them. The faults found."""
    for field in model.model_fields:
        stem = field.removesuffix("_url")
        if stem == field or (password := values.pop(f"{stem}_password", None)) is None:
            continue
        name, of = variable(service, field), variable(service, f"{stem}_password")
        if field not in values:
            yield f"{name}: is needed where {of} is given"
            continue
        try:
            values[field] = with_password(values[field], password)
        except ValueError as error:
            yield f"{name}: {error}, since {of} is given"


def with_password(url: str, password: str) -> str:
    """The URL with that password. Raises ValueError, without showing it, where it names no user or has one already."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    if not user or ":" in user:
        raise ValueError("must name a user and hold no password")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def read_secret(path: Path) -> str:
    """A file's text without the line feed at its end. Raises OSError, ValueError."""
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError("is too large for a secret")
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if not text:
        raise ValueError("is empty")
    return text


def spelled_list(text: str) -> list[str]:
    """What a setting separates by commas."""
    return [part for each in text.split(",") if (part := each.strip())]


def refuse(faults: Iterable[str]) -> None:
    """Raises SettingsError with all of them in one line; without any does nothing."""
    if said := "; ".join(faults):
        raise SettingsError(said)


def faults_of(error: ValidationError, model: type[BaseModel], service: str, given: Given) -> list[str]:
    """A fault for each wrong value, without the value: it may be a secret."""
    faults: dict[str, str] = {}
    for each in error.errors(include_input=False, include_url=False, include_context=False):
        field = str(each["loc"][0]) if each["loc"] else "settings"
        name = variable(service, field)
        said = "is needed" if each["type"] == "missing" else each["msg"].removeprefix("Value error, ")
        if each["type"] == "missing" and is_secret(model.model_fields[field]):
            said += f"; or {name}{_FROM_FILE}, which names a file that holds it"
        faults.setdefault(field, f"{name}{_FROM_FILE if field in given.files else ''}: {said[:1].lower()}{said[1:]}")
    return list(faults.values())


def probably_meant(model: type[BaseModel], service: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that nothing reads and that look like one of ours which is not set: given name to ours."""
    spellings: dict[str, str] = {}
    for field, info in model.model_fields.items():
        name = variable(service, field)
        for suffix in ("", _FROM_FILE) if is_secret(info) else ("",):
            spellings[name + suffix] = name + suffix
            spellings[field.upper() + suffix] = name + suffix  # without the service's name
    ours = set(spellings.values())
    wanted = [
        spelling for spelling, name in spellings.items() if len(spelling) >= _SHORTEST and name not in environment
    ]
    found = {}
    for given in sorted(set(environment) - ours):
        if len(given) >= _SHORTEST and not _is_another_services(given):
            for match in get_close_matches(given.upper(), wanted, 1, _ALIKE):
                found[given] = spellings[match]
    return found


def _is_another_services(given: str) -> bool:
    return any(given.removesuffix(_FROM_FILE).endswith(f"_{field.upper()}") for field in OF_ONE_SERVICE)
