"""`python -m crm_testkit.new_feature <service> <plural name>`: the skeleton of a resource, ready to run.

Writes the feature's folder, its entity, id and topic into the contracts, and its name into the service's manifest. What
comes out serves the seven operations of a thing with a name; the rest is yours. A migration is drafted apart.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
SERVICES = ("contacts", "pipeline", "tickets", "campaigns")

_FILES = {
    "__init__.py": '''"""{Plural}."""

from crm_kit.manifest import Feature

from {package}.features.{plural}.router import router

FEATURE = Feature(router=router)
''',
    "router.py": '''"""{Plural} over HTTP."""

from crm_kit.resources import resource_router

from {package}.features.{plural}.resource import {PLURAL}

router = resource_router({PLURAL})
''',
    "models.py": '''"""The {singular} table."""

from crm_kit.db.models import CodePointText, EntityRow
from sqlalchemy import Index
from sqlmodel import Field

from {package}.base import Base


class {Singular}Row(EntityRow, Base, table=True):
    __tablename__ = "{singular}"
    __table_args__ = (Index("{singular}_created", "tenant_id", "created_at", "id"),)

    name: str = Field(sa_type=CodePointText, nullable=False)
''',
    "schemas.py": '''"""What clients may write of a {singular}."""

from crm_contracts.types import Input, Name


class {Singular}Write(Input):
    name: Name
''',
    "events.py": '''"""From the row to what others may see of it."""

from crm_contracts.{service} import {Singular}
from crm_contracts.registry import {SINGULAR}
from crm_kit.outbox import EntityEvents

from {package}.features.{plural}.models import {Singular}Row


def snapshot(row: {Singular}Row) -> {Singular}:
    return {Singular}.model_validate(row)


{SINGULAR}_EVENTS = EntityEvents({SINGULAR}, {Singular}Row, snapshot)
''',
    "usecases.py": '''"""What can be done with a {singular}."""

from crm_contracts.ids import {Singular}Id
from crm_contracts.{service} import {Singular}
from crm_kit.db.session import WriteSession
from crm_kit.http.principal import Principal

from {package}.features.{plural}.events import {SINGULAR}_EVENTS
from {package}.features.{plural}.models import {Singular}Row
from {package}.features.{plural}.schemas import {Singular}Write


async def create_{singular}(session: WriteSession, data: {Singular}Write, _caller: Principal) -> {Singular}:
    row = {Singular}Row(id={Singular}Id.new(), name=data.name)
    return await {SINGULAR}_EVENTS.created(session, row)


async def update_{singular}(session: WriteSession, row: {Singular}Row, data: {Singular}Write, _caller: Principal) -> None:
    before = {SINGULAR}_EVENTS.snapshot(row)
    row.name = data.name
    await {SINGULAR}_EVENTS.updated(session, row, before)


async def delete_{singular}(session: WriteSession, row: {Singular}Row, _caller: Principal) -> None:
    await {SINGULAR}_EVENTS.deleted(session, row)
''',
    "resource.py": '''"""{Plural} as a resource."""

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from {package}.features.{plural} import usecases
from {package}.features.{plural}.events import {SINGULAR}_EVENTS
from {package}.features.{plural}.models import {Singular}Row
from {package}.features.{plural}.schemas import {Singular}Write

_c = columns({Singular}Row)

{PLURAL} = Resource(
    singular="{singular}",
    plural="{path}",
    label=Text("{words}", "{words}"),
    row={Singular}Row,
    write={Singular}Write,
    events={SINGULAR}_EVENTS,
    fields=FieldSet(
        "{Singular}",
        [*base_fields({Singular}Row), Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False)],
    ),
    ownership=TENANT_WIDE,  # or whose they are: crm_kit.rights.owned_by
    create=usecases.create_{singular},
    update=usecases.update_{singular},
    delete=usecases.delete_{singular},
)
''',
}


class NotPossible(Exception):
    """Why no feature was written."""


def singular_of(plural: str) -> str:
    """English enough for names of resources."""
    if plural.endswith("ies"):
        return plural[:-3] + "y"
    if plural.endswith(("sses", "xes", "ches", "shes")):
        return plural[:-2]
    return plural.removesuffix("s")


def write_feature(root: Path, service: str, plural: str) -> list[Path]:
    """The files written or changed. Raises NotPossible, with nothing written."""
    singular = singular_of(plural)
    if service not in SERVICES:
        raise NotPossible(f"svc is one of {', '.join(SERVICES)}, not {service!r}")
    if not re.fullmatch(r"[a-z][a-z_]{1,40}s", plural) or singular == plural:
        raise NotPossible(f"name is the resource's plural in snake_case, such as loyalty_cards, not {plural!r}")
    package = f"{service}_svc"
    source = root / "services" / f"{service}-svc" / "src" / package
    folder = source / "features" / plural
    if folder.exists():
        raise NotPossible(f"{folder.relative_to(root)} exists already")
    names = {
        "service": service,
        "package": package,
        "plural": plural,
        "singular": singular,
        "path": plural.replace("_", "-"),
        "words": singular.replace("_", " "),
        "Plural": plural.replace("_", " ").capitalize(),
        "PLURAL": plural.upper(),
        "SINGULAR": singular.upper(),
        "Singular": "".join(part.capitalize() for part in singular.split("_")),
    }
    folder.mkdir(parents=True)
    written = []
    for name, text in _FILES.items():
        path = folder / name
        path.write_text(text.format(**names))
        written.append(path)
    return [*written, *_extend_contracts(root, names), _extend_manifest(source / "manifest.py", names)]


def _extend_contracts(root: Path, names: dict[str, str]) -> list[Path]:
    contracts = root / "shared/contracts/src/crm_contracts"
    ids, model, registry = contracts / "ids.py", contracts / f"{names['service']}.py", contracts / "registry.py"
    ids.write_text(ids.read_text() + '\n\nclass {Singular}Id(Id, prefix="{singular}"): ...\n'.format(**names))
    text = model.read_text()
    first = text.index("from crm_contracts.ids import ")
    text = text[:first] + "from crm_contracts.ids import {Singular}Id\n".format(**names) + text[first:]
    model.write_text(text + "\n\nclass {Singular}(Entity):\n    id: {Singular}Id\n    name: str\n".format(**names))
    text = registry.read_text()
    topic = '{SINGULAR} = Topic("{service}", "{singular}", {service}.{Singular})\n\n'.format(**names)
    text = text.replace("TOPICS: tuple[Topic, ...] = (\n", topic + "TOPICS: tuple[Topic, ...] = (\n", 1)
    before, listed = text.split("TOPICS: tuple[Topic, ...] = (\n", 1)
    listed = listed.replace("\n)\n", f"\n    {names['SINGULAR']},\n)\n", 1)
    registry.write_text(before + "TOPICS: tuple[Topic, ...] = (\n" + listed)
    return [ids, model, registry]


def _extend_manifest(path: Path, names: dict[str, str]) -> Path:
    text = path.read_text()
    text = re.sub(
        r"(from \w+\.features import )(\(?)", lambda match: f"{match[1]}{match[2]}{names['plural']}, ", text, count=1
    )
    text = re.sub(r"(features=\(\s*)", lambda match: f"{match[1]}{names['plural']}.FEATURE, ", text, count=1)
    text = re.sub(r"(publishes=\(\s*)", lambda match: f"{match[1]}{names['SINGULAR']}_EVENTS, ", text, count=1)
    text = re.sub(
        r"(from (\w+)\.features import (?:\([^)]*\)|[^\n(]+)\n)",
        lambda match: (
            f"{match[1]}from {match[2]}.features.{names['plural']}.events import {names['SINGULAR']}_EVENTS\n"
        ),
        text,
        count=1,
    )
    path.write_text(text)
    return path


def main() -> int:
    if len(sys.argv) != 3 or not all(sys.argv[1:]):
        sys.stderr.write("make new-feature svc=<service> name=<plural>, for example svc=contacts name=notes\n")
        return 1
    try:
        written = write_feature(ROOT, sys.argv[1], sys.argv[2])
    except NotPossible as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path in written:
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    sys.stdout.write(
        "Next: make format; make migration svc=… name=…; protect() its table there and add_readers(); make openapi schemas.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
