"""`python -m gateway reconcile`: now, over one customer, a sample, or all."""

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from crm_contracts.ids import prefix_of
from crm_kit.bus import EventLogError, open_event_log
from crm_kit.db.session import Database
from crm_kit.http.principal import Principal
from crm_kit.inbox.passing import ConsumerBehind
from crm_kit.manifest import Command
from crm_kit.observability.logs import configure_logs
from crm_kit.settings import ServiceSettings

from gateway.features.customers.live import LiveComposer
from gateway.features.reconcile.drift import Finding
from gateway.features.reconcile.reconciler import Allowance, Reconciler
from gateway.features.reconcile.run import Tally, reconcile, tenants
from gateway.features.reconcile.sampling import everybody, sample
from gateway.settings import GatewaySettings
from gateway.upstream import ServiceClient, UpstreamUnavailable

_NO_BOUND = 1_000_000_000


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tenant", help="only this tenant's customers")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--customer", help="only this one, a contact or an account; needs --tenant")
    which.add_argument("--all", action="store_true", help="every customer, not a sample")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--repair", action="store_true", help="repair what has drifted, however much it is")
    what.add_argument("--dry-run", action="store_true", help="only tell, which is the default")


async def _run(settings: ServiceSettings, arguments: argparse.Namespace) -> int:
    """The exit code: 0 where nothing has drifted or all is repaired, 1 where something has, 2 where not all was judged."""
    assert isinstance(settings, GatewaySettings), "the gateway's manifest names its settings"
    configure_logs("gateway", "ERROR", settings.log_format)
    if arguments.customer and (prefix_of(arguments.customer) not in ("contact", "account") or not arguments.tenant):
        sys.stderr.write("gateway: --customer takes a contact's or an account's id, with --tenant\n")
        return 2
    tally, allowance = Tally(), Allowance(_NO_BOUND if arguments.repair else 0)
    try:
        async with _opened(settings) as (reconciler, database, system):
            principals = [one for one in await tenants(system) if arguments.tenant in (None, one.tenant_id)]
            if arguments.tenant and not principals:
                sys.stderr.write(f"gateway: there is no tenant {arguments.tenant}\n")
                return 2
            for principal in principals:
                customers = _customers(arguments, settings, database, reconciler, principal)
                await reconcile(reconciler, principal, customers, allowance, tally)
    except (ConsumerBehind, EventLogError, UpstreamUnavailable, OSError) as error:
        tally.unjudged, tally.reason = tally.unjudged + 1, str(error)
    for finding in tally.findings:
        sys.stdout.write(f"{_line(finding)}\n")
    sys.stdout.write(
        f"{tally.compared} customers compared, {len(tally.findings)} drifted,"
        f" {sum(bool(one.repaired) for one in tally.findings)} repaired, {tally.unsettled} unsettled\n"
    )
    if tally.unjudged:
        sys.stderr.write(f"gateway: not all could be judged: {tally.reason}\n")
        return 2
    return 1 if any(not one.repaired for one in tally.findings) else 0


def _line(finding: Finding) -> str:
    outcome = {None: "not repaired", True: "repaired", False: "REPAIR FAILED"}[finding.repaired]
    detail = f" ({finding.detail})" if finding.detail else ""
    return f"{finding.tenant_id}/{finding.customer_id}: {finding.kind} {finding.subject}{detail}: {outcome}"


async def _customers(
    arguments: argparse.Namespace,
    settings: GatewaySettings,
    database: Database,
    reconciler: Reconciler,
    principal: Principal,
) -> AsyncIterator[str]:
    states = reconciler.states(principal)
    if arguments.customer:
        yield arguments.customer
    elif arguments.all:
        async for one in everybody(database, states, principal):
            yield one
    else:
        for one in await sample(database, states, principal, settings.reconcile_sample_size):
            yield one


@asynccontextmanager
async def _opened(settings: GatewaySettings) -> AsyncIterator[tuple[Reconciler, Database, Database]]:
    async with AsyncExitStack() as stack:
        database = Database(
            settings.database_url,
            pool_size=4,
            settings={"application_name": "gateway-reconcile"},
            by_transaction=settings.lends_by_transaction,
        )
        stack.push_async_callback(database.close)
        system = Database(settings.system_database_url, pool_size=1)
        stack.push_async_callback(system.close)
        event_log = open_event_log(settings)
        await event_log.start()
        stack.push_async_callback(event_log.close)
        services = ServiceClient(settings, settings.mint())
        stack.push_async_callback(services.close)
        live = LiveComposer(database, services, settings.upstream_read_seconds)
        seconds = settings.reconcile_wait_seconds
        yield Reconciler(database, services, live, event_log, seconds=seconds), database, system


COMMAND = Command(
    name="reconcile",
    help="compare customer views with the services, and repair what has drifted",
    arguments=_arguments,
    run=_run,
)
