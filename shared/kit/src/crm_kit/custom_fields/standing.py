"""A tenant's declarations as every write depends on them: those of the resource's own table, or the copies of it."""

from collections.abc import Iterable
from functools import cache
from typing import Final

from crm_contracts.custom_fields import CustomField

from crm_kit.custom_fields.declared import Declared
from crm_kit.db.locks import lock_keys
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.db.standing import Standing

SPACE: Final = "custom_fields"
MARK: Final = "custom_fields_mark"
"""The function that `add_mark` makes over the table, of `resource`."""


async def lock_custom_fields(session: WriteSession) -> None:
    """Waits for every record that is being judged; until the transaction ends no other is."""
    await lock_keys(session, SPACE, [""])


@cache
def standing_custom_fields(resource: str, declarations: Sql) -> Standing[Declared]:
    """`declarations` selects those of a `:resource` as texts `declared`, each the JSON of a CustomField.

    Ask for it before what may speak of custom fields, such as rules by conditions.
    """

    async def load(session: ReadSession) -> Declared:
        rows = await session.fetch(declarations, {"resource": resource})
        return declared_by(row["declared"] for row in rows)

    return Standing(SPACE, resource, MARK, load)


def declared_by(texts: Iterable[str]) -> Declared:
    """Of the JSON of CustomFields."""
    return Declared(CustomField.model_validate_json(text) for text in texts)
