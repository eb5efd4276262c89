"""Releases beside the checkout: one of a revision in its history, and the one after it.

The latter is a copy of the sources with an ordinary minor change, as `docs/guides/upgrading.md` has it: a contact gets a
nickname, in a column of its own, and its e-mail addresses get a label, inside their JSON column.
"""

import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crm_testkit.new_feature import ROOT

_PACKAGES: Final = (
    "shared/contracts",
    "shared/kit",
    "services/contacts-svc",
    "services/pipeline-svc",
    "services/tickets-svc",
    "services/campaigns-svc",
    "gateway",
)
_FEATURE: Final = "services/contacts-svc/src/contacts_svc/features/contacts"

# File, a text that it holds once, what comes behind that text.
_ADDITIONS: Final = (
    (
        "shared/contracts/src/crm_contracts/contacts.py",
        "    verified: bool\n",
        "    label: Text | None = None\n",
    ),
    (
        "shared/contracts/src/crm_contracts/contacts.py",
        "    wechat: Annotated[str | None, NAME]\n",
        "    nickname: Annotated[str | None, NAME] = None\n",
    ),
    (
        "shared/contracts/src/crm_contracts/registry.py",
        '"unmerged", "archived", "restored"),\n    minor=3',
        " + 1",
    ),
    (
        f"{_FEATURE}/schemas.py",
        "    verified: Annotated[bool, Field(strict=True)] = False\n",
        "    label: Text | None = None\n",
    ),
    (
        f"{_FEATURE}/schemas.py",
        "    wechat: Annotated[Text, StringConstraints(min_length=1, max_length=100)] | None = None\n",
        "    nickname: Text | None = None\n",
    ),
    (
        f"{_FEATURE}/models.py",
        "    wechat: str | None = Field(default=None, sa_type=CodePointText)\n",
        "    nickname: str | None = Field(default=None, sa_type=CodePointText)\n",
    ),
    (f"{_FEATURE}/usecases.py", '        "wechat",\n', '        "nickname",\n'),
    (
        f"{_FEATURE}/repository.py",
        '        Field("wechat", FieldType.TEXT, _c.wechat),\n',
        '        Field("nickname", FieldType.TEXT, _c.nickname),\n',
    ),
)

_MIGRATION: Final = '''"""Nicknames"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "{revision}", "{before}"
branch_labels = depends_on = None


def upgrade() -> None:
    {upgrade}
'''

EXPAND: Final = 'op.add_column("contact", sa.Column("nickname", sa.Text(collation="C"), nullable=True))'
"""Allowed: who does not know the column leaves it empty."""

CONTRACT: Final = (
    'op.drop_column("contact", "nickname")\n'
    '    op.add_column("contact", sa.Column("nickname", sa.Text(collation="C"), nullable=False, server_default=""))\n'
    '    op.alter_column("contact", "nickname", server_default=None)'
)
"""Forbidden in the same release: who does not know the column can no longer write."""


@dataclass(frozen=True, slots=True)
class Release:
    """The sources of a release. `python_path` puts them before those that are installed."""

    folder: Path

    @property
    def python_path(self) -> str:
        return ":".join(str(self.folder / package / "src") for package in _PACKAGES)


CHECKOUT: Final = Release(ROOT)


def release_of(revision: str, folder: Path) -> Release:
    """The sources as they were at a revision of git, over today's libraries. Raises ValueError where it is not to be had."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "sources.tar"
    command = ("git", "-C", str(ROOT), "archive", "--output", str(archive), revision, "--", *_PACKAGES)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"{revision} cannot be had from git: {done.stderr.strip()}")
    with tarfile.open(archive) as sources:
        sources.extractall(folder, filter="data")
    archive.unlink()
    return Release(folder)


def write_next_release(folder: Path, *migrations: str) -> Release:
    """`migrations`: what contacts-svc does to its database. Raises ValueError where the sources are not as expected."""
    for package in _PACKAGES:
        for part in ("src", "migrations"):
            if (ROOT / package / part).is_dir():
                # With times and byte code: what is not changed need not be compiled again.
                shutil.copytree(ROOT / package / part, folder / package / part, copy_function=shutil.copy2)
    for name, before, added in _ADDITIONS:
        _add(folder / name, before, added)
    versions = folder / "services/contacts-svc/migrations/versions"
    before = max(path.stem for path in versions.glob("0*.py"))
    for upgrade in migrations:
        revision = f"{int(before[:4]) + 1:04d}_nickname"
        text = _MIGRATION.format(revision=revision, before=before, upgrade=upgrade)
        (versions / f"{revision}.py").write_text(text, encoding="utf-8")
        before = revision
    return Release(folder)


def _add(path: Path, before: str, added: str) -> None:
    text = path.read_text(encoding="utf-8")
    if text.count(before) != 1:
        raise ValueError(f"{path.name} holds {before.strip()!r} {text.count(before)} times")
    path.write_text(text.replace(before, before + added), encoding="utf-8")
