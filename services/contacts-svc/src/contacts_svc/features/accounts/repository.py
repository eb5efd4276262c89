"""Every statement about accounts beyond those that all resources have, and the fields that these can name."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Self

from crm_kit.conditions import Document, Field, FieldSet, FieldType
from crm_kit.db.holders import KeyHolders
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.resources import base_fields
from crm_kit.rights import CUSTOM
from sqlalchemy import ARRAY, ColumnElement, exists, func, literal, select
from sqlalchemy import Text as SqlText

from contacts_svc.features.accounts.models import AccountRow
from contacts_svc.features.external_ids.rules import external_keys

_c = columns(AccountRow)

ARCHIVED: Final = "archived"
"""The field by which lists leave out what is archived."""


def address_fields(address: Any) -> list[Field]:
    """Of a column that holds an address."""
    parts = ("country", "region", "city", "district", "postal_code")
    return [Field(f"address.{part}", FieldType.TEXT, address[part].astext) for part in parts]


def external_id_field(keys: Any) -> Field:
    """Of a column that holds external ids as `external_key` spells them."""
    return Field(
        "external_id",
        FieldType.TEXT_LIST,
        keys,
        value=_external_keys,
        part_of="external_ids",
        selective=True,
    )


def _external_keys(document: Document) -> list[str]:
    given = document.get("external_ids")
    return external_keys(given) if isinstance(given, dict) else []


def archived_fields(archived_at: Any) -> list[Field]:
    """Of a column that tells since when a record is archived."""
    return [
        Field("archived_at", FieldType.DATETIME, archived_at),
        Field(
            ARCHIVED,
            FieldType.BOOLEAN,
            archived_at.is_not(None),
            value=lambda document: document.get("archived_at") is not None,
            part_of="archived_at",
            nullable=False,
        ),
    ]


FIELDS = FieldSet(
    "Account",
    [
        *base_fields(AccountRow),
        Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False, grams=_c.name_grams),
        Field("domain", FieldType.TEXT, _c.domain),
        Field("industry", FieldType.TEXT, _c.industry),
        Field("size", FieldType.INTEGER, _c.size, sortable=True),
        Field("parent_id", FieldType.ID, _c.parent_id),
        Field("phone", FieldType.TEXT, _c.phone),
        *address_fields(_c.address),
        Field("lifecycle_stage", FieldType.TEXT, _c.lifecycle_stage, nullable=False),
        Field("lifecycle_reason", FieldType.TEXT, _c.lifecycle_reason),
        Field("lifecycle_changed_at", FieldType.DATETIME, _c.lifecycle_changed_at),
        Field("owner_id", FieldType.ID, _c.owner_id),
        Field("team_id", FieldType.ID, _c.team_id),
        Field("territory_id", FieldType.ID, _c.territory_id),
        external_id_field(_c.external_keys),
        Field("tag", FieldType.TEXT_LIST, _c.tags, value="tags"),
        *archived_fields(_c.archived_at),
    ],
    declared_under=CUSTOM,
)


DOMAINS = KeyHolders("account.domain", _c.domain)
EXTERNAL_KEYS = KeyHolders("account.external", _c.external_keys)
NAMES = KeyHolders("account.name", _c.name)


async def look_up_accounts(session: WriteSession, account_ids: Iterable[str]) -> None:
    """So that `account_exists` asks for none of them by itself."""
    unknown = [account_id for account_id in set(account_ids) if not session.knows(("account", account_id))]
    if unknown:
        found = set(await session.scalars(select(_c.id).where(_c.id.in_(unknown))))
        for account_id in unknown:
            note_account(session, account_id, is_there=account_id in found)


def note_account(session: WriteSession, account_id: str, *, is_there: bool) -> None:
    session.note(("account", account_id), is_there)


async def account_exists(session: WriteSession, account_id: str) -> bool:
    await look_up_accounts(session, [account_id])
    return bool(session.noted(("account", account_id)))


async def hold_account(session: WriteSession, account_id: str) -> bool:
    """Whether the account exists; until the transaction ends it is not deleted then."""
    statement = select(_c.id).where(_c.id == account_id).with_for_update(read=True, key_share=True)
    return await session.scalar(statement) is not None


async def accounts_by_id(session: ReadSession, account_ids: Sequence[str]) -> list[AccountRow]:
    """In the order given."""
    if not account_ids:
        return []
    rows = {row.id: row for row in await session.scalars(select(AccountRow).where(_c.id.in_(account_ids)))}
    return [rows[account_id] for account_id in account_ids]


async def parents_among(
    session: ReadSession, account_ids: Sequence[str], reached: ColumnElement[bool]
) -> frozenset[str]:
    """Those of the accounts beneath which there are any that are `reached`."""
    if not account_ids:
        return frozenset()
    asked = func.unnest(literal(list(account_ids), ARRAY(SqlText()))).table_valued("id").render_derived("asked")
    beneath = exists(select(_c.id).where(_c.parent_id == asked.c.id, reached))
    return frozenset(await session.scalars(select(asked.c.id).where(beneath)))


class Keys(NamedTuple):
    """What an account is found by."""

    domains: Sequence[str] = ()
    external: Sequence[str] = ()
    names: Sequence[str] = ()

    @classmethod
    def of(cls, row: AccountRow) -> Self:
        return cls([row.domain] if row.domain is not None else [], row.external_keys, [row.name])


def note_keys(session: WriteSession, account_id: str, before: Keys, after: Keys) -> None:
    """What was looked up in this transaction holds no more."""
    for holders, old, new in zip((DOMAINS, EXTERNAL_KEYS, NAMES), before, after, strict=True):
        holders.moved(session, account_id, old, new)
