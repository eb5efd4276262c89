"""A made-up business: its records, and a server with the gateway's database for benchmarks that need no whole stack."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crm_contracts.ids import TenantId
from crm_kit.bus import Record
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.migrations import migrate
from crm_kit.db.provision import EventLogDatabase, ServiceDatabase, provision
from crm_testkit.customer_world import World, moment, money
from gateway.base import METADATA
from gateway.settings import GatewaySettings
from joserfc.jwk import OKPKey

import gateway

_CUSTOMERS_A_TENANT = 1000
_CONTACTS_AN_ACCOUNT = 9
_WHAT_HAPPENS = "update update change change order deal ticket consent message activity".split()
_SECRET = "only-for-benchmarks-0123456789abcdef"
_NOBODY = "http://127.0.0.1:9"
"""The services are not there."""
_NAMES = ("欧阳晓梅", "王伟", "Anna Bauer", "José Ünal")


def business(customers: int, events: int) -> Iterator[tuple[str, list[Record]]]:
    """The records of so many customers, always the same ones: a tenant's id and its records, a tenant at a time."""
    dice = random.Random(1)
    tenants = -(-customers // _CUSTOMERS_A_TENANT)
    for number in range(tenants):
        world = World(TenantId.new())
        mine = range(number * customers // tenants, (number + 1) * customers // tenants)
        _populate(world, len(mine), events * len(mine) // customers, dice)
        yield (
            world.tenant_id,
            [Record(topic, event.subject, event.value(), event.headers()) for topic, event in world.events],
        )


def _populate(world: World, customers: int, events: int, dice: random.Random) -> None:
    accounts: list[str] = []
    contacts: list[str] = []
    changeable: list[str] = []
    for number in range(customers):
        if number % (_CONTACTS_AN_ACCOUNT + 1) == 0:
            accounts.append(world.create("account")["id"])
        else:
            address = {"address": f"c{number}@example.com", "label": None, "primary": True, "verified": False}
            made = world.create("contact", account_id=accounts[-1], full_name=dice.choice(_NAMES), emails=[address])
            contacts.append(made["id"])
    while len(world.events) < events:
        whose = {"contact_id": dice.choice(contacts)}
        at, kind = moment(dice.randrange(100_000)), dice.choice(_WHAT_HAPPENS)
        if kind in ("update", "change"):
            changed = dice.choice(changeable if kind == "change" and changeable else contacts)
            world.update(changed, tags=[f"t{len(world.events)}"])
            continue
        made = world.create(kind, **whose, **_members(kind, at))
        if kind in ("order", "deal", "ticket"):
            changeable.append(made["id"])


def _members(kind: str, at: str) -> dict[str, object]:
    members: dict[str, dict[str, object]] = {
        "order": {"placed_at": at, "total": money("1999.00")},
        "deal": {"amount": money("128000.00")},
        "ticket": {"created_at": at},
        "message": {"queued_at": at},
    }
    return members.get(kind, {"at": at})


@dataclass(frozen=True)
class Stage:
    """A server with the two databases, and nothing running on them; `kafka`: where events go in place of the embedded log."""

    app_url: str
    system_url: str
    owner_url: str
    event_log_url: str
    signing_key_file: str
    kafka: str | None = None

    @property
    def settings(self) -> GatewaySettings:
        return GatewaySettings(
            database_url=self.app_url,
            system_database_url=self.system_url,
            owner_database_url=self.owner_url,
            event_log_url=self.event_log_url,
            kafka_bootstrap_servers=self.kafka,
            bus="kafka" if self.kafka else "embedded",
            environment="development",
            secret=_SECRET,
            admin_key=_SECRET,
            signing_key_file=self.signing_key_file,
            **dict.fromkeys(("contacts_url", "pipeline_url", "tickets_url", "campaigns_url"), _NOBODY),
        )


async def set_up(server: EmbeddedPostgres, folder: Path) -> Stage:
    """`folder`: for the key that signs internal tokens."""
    view, events = ServiceDatabase("gateway", "owner", "app", "system"), EventLogDatabase("event_log")
    await provision(server.superuser_url(), view, events)
    urls = view.urls(server.superuser_url())
    await migrate(Path(gateway.__file__).parents[2] / "migrations", METADATA, urls.owner)
    key = folder / "signing-key.json"
    key.write_text(json.dumps(OKPKey.generate_key("Ed25519", {"kid": "bench"}, private=True).as_dict(private=True)))
    return Stage(urls.app, urls.system, urls.owner, events.url(server.superuser_url()), str(key))
