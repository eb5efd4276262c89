"""`python -m <service> <command>`: serve, relay, consume, timers, migrate, rebuild, reencrypt, audit, openapi, and the service's own."""

import argparse
import asyncio
import gc
import json
import os
import sys
from collections.abc import Callable
from typing import cast

import structlog

from crm_kit.audit.command import add_arguments as add_audit_arguments
from crm_kit.audit.command import run as verify_audit
from crm_kit.environment import probably_meant
from crm_kit.manifest import Manifest
from crm_kit.observability.logs import configure_logs
from crm_kit.observability.output import OUTPUT
from crm_kit.runtime import ALL_ROLES, Role, Runtime
from crm_kit.settings import ServiceSettings, SettingsError
from crm_kit.tenants.command import COMMANDS as TENANT_COMMANDS
from crm_kit.tenants.command import add_arguments as add_tenant_arguments
from crm_kit.tenants.command import run as on_tenant

log = structlog.get_logger(__name__)

AuthenticatorFactory = Callable[[Runtime], object]


def run(
    manifest: Manifest, authenticator: AuthenticatorFactory | None = None, runtime_type: type[Runtime] = Runtime
) -> None:
    """The whole of a service's `__main__.py`. What is wrong with the settings is said in one line."""
    gc.enable()  # the embedded stack imports without it
    arguments = _parser(manifest).parse_args()
    try:
        code = _printed(manifest, arguments)
        if code is None:
            code = asyncio.run(_done(manifest, arguments))
        if code is None:
            only = arguments.only.split(",") if arguments.command == "serve" else [arguments.command]
            _serve(manifest, cast("list[Role]", only), authenticator, runtime_type)
        sys.exit(code)
    except SettingsError as error:
        sys.exit(f"{manifest.package}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _printed(manifest: Manifest, arguments: argparse.Namespace) -> int | None:
    """Commands that need no settings: their exit code, or None for the others."""
    if arguments.command == "openapi":
        _print_openapi(manifest)
    elif arguments.command == "topics":
        from crm_kit.topics import print_topics

        print_topics(manifest, acls=arguments.acls)
    else:
        return None
    return 0


async def _done(manifest: Manifest, arguments: argparse.Namespace) -> int | None:
    """Commands that do one thing and end: their exit code, or None for what serves."""
    if arguments.command == "rebuild":
        from crm_kit.rebuild.command import rebuild

        return await rebuild(manifest, arguments)
    own = next((one for one in manifest.commands if one.name == arguments.command), None)
    if own is None and arguments.command not in (
        *("migrate", "provision", "doctor", "audit", "reencrypt"),
        *TENANT_COMMANDS,
    ):
        return None
    settings = manifest.settings.load(manifest.name)
    if own is not None:
        return await own.run(settings, arguments)
    if arguments.command == "audit":
        return await verify_audit(manifest.name, settings, arguments)
    if arguments.command == "provision":
        from crm_kit.db.provision_command import run as provision

        return await provision(manifest.name, settings)
    if arguments.command == "reencrypt":
        return await _reencrypt(manifest, settings)
    if arguments.command == "doctor":
        from crm_kit.doctor.command import run as doctor

        return await doctor(manifest, settings, arguments)
    if arguments.command in TENANT_COMMANDS:
        return await on_tenant(manifest, settings, arguments)
    changed = await _migrate(manifest, settings)
    sys.stdout.write(f"{manifest.name}: {'migrated' if changed else 'up to date'}\n")
    return 0


def _parser(manifest: Manifest) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {manifest.package}", description=manifest.summary)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="answer HTTP, and run the roles beside it")
    serve.add_argument("--only", default=",".join(ALL_ROLES), help="which of api,relay,consume,timers to run")
    for role in ("relay", "consume", "timers"):
        commands.add_parser(role, help=f"run {role} alone, with health and metrics on PORT")
    commands.add_parser(
        "provision", help="make its database and roles, as ADMIN_DATABASE_URL; again, it sets passwords"
    )
    commands.add_parser("migrate", help="bring the database to the newest revision")
    commands.add_parser(
        "reencrypt", help="seal anew what is sealed under a value of SECRET_FALLBACKS, so that it may be taken away"
    )
    rebuild = commands.add_parser("rebuild", help="make a projection anew out of the event log, beside the live one")
    rebuild.add_argument("consumer", nargs="?", help="whose projection; needed where there are several")
    rebuild.add_argument("--no-switch", action="store_true", help="only compare; exit 1 where live and rebuilt differ")
    rebuild.add_argument("--no-compare", action="store_true", help="switch without comparing")
    rebuild.add_argument("--clean", action="store_true", help="only remove what a killed rebuild has left")
    add_audit_arguments(commands.add_parser("audit", help="the audit log: verify its chains"))
    doctor = commands.add_parser(
        "doctor", help="look at database, event log, certificates and queues; exit 1 at a fault"
    )
    doctor.add_argument("--json", action="store_true", help="an array of objects: check, state, sentence")
    add_tenant_arguments(commands.add_parser)
    commands.add_parser("openapi", help="print the OpenAPI document")
    topics = commands.add_parser("topics", help="print the Kafka topics that it needs, as JSON")
    topics.add_argument(
        "--acls", action="store_true", help="instead the rights that it needs, as a Strimzi KafkaUser has them"
    )
    for command in manifest.commands:
        command.arguments(commands.add_parser(command.name, help=command.help))
    return parser


def _print_openapi(manifest: Manifest) -> None:
    from crm_contracts.document_text import document_text

    from crm_kit.app import create_app

    in_order = json.loads(json.dumps(create_app(manifest, None).openapi(), sort_keys=True))
    sys.stdout.write(document_text(in_order) + "\n")


async def _migrate(manifest: Manifest, settings: ServiceSettings) -> bool:
    from crm_kit.db.migrations import migrate

    return await migrate(manifest.migrations, manifest.metadata, settings.require_owner_url(manifest.name))


async def _reencrypt(manifest: Manifest, settings: ServiceSettings) -> int:
    """The exit code: 1 where texts are left that no secret opens."""
    from crm_kit.db.session import Database
    from crm_kit.doctor.secrets import look_at_secrets
    from crm_kit.resealing import reseal

    system = Database(settings.system_database_url, pool_size=1)
    try:
        done = [await reseal(system, table, settings.keyring) for table in manifest.sealed]
        sys.stdout.write(f"{manifest.name}: {sum(done)} texts sealed anew, under the present SECRET\n")
        async with system.read(None) as session:
            found = [finding async for finding in look_at_secrets(session, manifest, settings.keyring)]
    finally:
        await system.close()
    for finding in found:
        sys.stdout.write(f"{manifest.name}: {finding.sentence}\n")
    return 1 if any(finding.state == "fault" for finding in found) else 0


def _serve(
    manifest: Manifest, roles: list[Role], authenticator: AuthenticatorFactory | None, runtime_type: type[Runtime]
) -> None:
    from crm_kit.app import build_routes, create_app
    from crm_kit.http.principal import Authenticator
    from crm_kit.migrator import Migrator
    from crm_kit.observability.recording import recording
    from crm_kit.serving import Server
    from crm_kit.siblings import Siblings
    from crm_kit.siblings.memory import Guard
    from crm_kit.siblings.server import FirstServer, OtherServer

    if unknown := set(roles) - set(ALL_ROLES):
        raise SettingsError(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(ALL_ROLES)}")
    settings = manifest.settings.load(manifest.name)
    configure_logs(manifest.name, settings.log_level, settings.log_format)
    for given, meant in probably_meant(manifest.settings, manifest.name, os.environ).items():
        log.warning("unknown_setting", variable=given, probably_meant=meant)
    migrator = None
    if settings.migrate_at_start:
        owner_url = settings.require_owner_url(manifest.name)
        migrator = Migrator.fork(manifest.migrations, manifest.metadata, owner_url)
    siblings = Siblings(settings.processes if "api" in roles else 1)
    runtime = runtime_type(manifest, settings, roles, migrator, siblings)
    made = cast("Authenticator", authenticator(runtime)) if authenticator else None
    app = create_app(manifest, runtime, made)
    if not siblings.is_alone:
        OUTPUT.share(Guard())

    def serve(server: type[Server]) -> None:
        with recording(manifest.name, settings, is_edge=manifest.origin is not None):
            server(app, runtime).run()

    def become_sibling() -> None:
        runtime.become_sibling()
        serve(OtherServer)

    if not siblings.is_alone:
        build_routes(app)
    try:
        siblings.fork(become_sibling)
        serve(Server if siblings.is_alone else FirstServer)
    finally:
        siblings.close()
    if runtime.failure is not None:
        sys.exit(f"{manifest.package}: {runtime.failure}")
