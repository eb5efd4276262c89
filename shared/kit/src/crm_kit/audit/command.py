"""`python -m <service> audit verify`: a line for each fault; exit code 1 where there is one."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from crm_kit.audit.verify import Anchor, verify
from crm_kit.db.session import Database
from crm_kit.settings import ServiceSettings


def add_arguments(parser: ArgumentParser) -> None:
    verifying = parser.add_subparsers(dest="audit", required=True).add_parser(
        "verify", help="check the chains of hashes; exit 1 where an entry was altered, removed, reordered or inserted"
    )
    verifying.add_argument("--tenant", help="only this tenant's chain")
    verifying.add_argument(
        "--expect",
        action="append",
        default=[],
        type=_anchor,
        metavar="TENANT:SEQUENCE:HASH",
        help="a head that was printed or logged (audit_anchor) before; may be repeated",
    )


async def run(service: str, settings: ServiceSettings, arguments: Namespace) -> int:
    """The exit code."""
    system = Database(
        settings.system_database_url, pool_size=1, settings={"application_name": f"{service}-audit-verify"}
    )
    faults = 0
    try:
        async for report in verify(system, service, tenant_id=arguments.tenant, anchors=arguments.expect):
            faults += len(report.faults)
            for fault in report.faults:
                _say(f"{service}: {report.tenant_id}: {fault.sequence}: {fault.kind}: {fault.detail}")
            _say(f"{service}: {report.entries} entries, {len(report.faults)} faults, head {report.head}")
    finally:
        await system.close()
    return 1 if faults else 0


def _anchor(given: str) -> Anchor:
    try:
        return Anchor.parse(given)
    except ValueError as error:
        raise ArgumentTypeError(f"{given!r} is not TENANT:SEQUENCE:HASH") from error


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
