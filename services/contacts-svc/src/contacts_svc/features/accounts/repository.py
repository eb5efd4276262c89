"""Every statement about accounts beyond those that all resources have, and the fields that these can name."""

from collections.abc import Sequence
from typing import Any, get_args

from crm_contracts.contacts import LifecycleStage
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.holders import holders_of
from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.resources import base_fields
from crm_kit.rights import CUSTOM
from sqlalchemy import ColumnElement, select

from contacts_svc.features.accounts.models import AccountRow

_c = columns(AccountRow)


def address_fields(address: Any) -> list[Field]:
    """Of a column that holds an address."""
    parts = ("country", "region", "city", "district", "postal_code")
    return [Field(f"address.{part}", FieldType.TEXT, address[part].astext) for part in parts]


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
        Field(
            "lifecycle_stage", FieldType.CHOICE, _c.lifecycle_stage, choices=get_args(LifecycleStage), nullable=False
        ),
        Field("owner_id", FieldType.ID, _c.owner_id),
        Field("team_id", FieldType.ID, _c.team_id),
        Field("territory_id", FieldType.ID, _c.territory_id),
        Field("tag", FieldType.TEXT_LIST, _c.tags, value="tags"),
    ],
    declared_under=CUSTOM,
)


async def account_exists(session: ReadSession, account_id: str) -> bool:
    return await session.scalar(select(_c.id).where(_c.id == account_id)) is not None


async def lock_external_keys(session: WriteSession, keys: Sequence[str]) -> None:
    """Until the transaction ends nobody else gives these ids to an account."""
    await lock_keys(session, "account.external", keys)


async def find_domain(session: WriteSession, domain: str) -> Sequence[str]:
    """The accounts with a domain, which is locked: two upserts with it cannot both find nobody."""
    await lock_keys(session, "account.domain", [domain])
    return await _ids(session, _c.domain == domain)


async def find_external_key(session: WriteSession, key: str) -> Sequence[str]:
    """As `find_domain`."""
    await lock_external_keys(session, [key])
    return await ids_with_external_key(session, [key])


async def ids_with_external_key(session: ReadSession, keys: Sequence[str]) -> Sequence[str]:
    held = await holders_of(session, _c.external_keys, keys)
    return sorted({id_ for ids in held.values() for id_ in ids})


async def _ids(session: ReadSession, condition: ColumnElement[bool]) -> Sequence[str]:
    return (await session.scalars(select(_c.id).where(condition).order_by(_c.id).limit(20))).all()
