"""`python -m <service> provision`: makes a service's database and roles, as its three URLs name them."""

import os
import sys
from typing import Annotated
from urllib.parse import unquote, urlsplit

import asyncpg
from pydantic import BaseModel, Field, ValidationError

from crm_kit import environment as env
from crm_kit.db.provision import EventLogDatabase, ServiceDatabase, provision
from crm_kit.environment import Secret, SettingsError
from crm_kit.settings import ServiceSettings


class ProvisionSettings(BaseModel):
    """What only this command reads."""

    admin_database_url: Annotated[str, Secret()] = Field(
        description="PostgreSQL URL of an administrator: a superuser, or with CREATEROLE and CREATEDB; for `provision` alone"
    )
    admin_database_password: Annotated[str | None, Secret()] = Field(
        None, description="The administrator's password, where the URL holds none"
    )


async def run(service: str, settings: ServiceSettings) -> int:
    """The exit code. Raises SettingsError."""
    given = env.read(ProvisionSettings, service, os.environ)
    try:
        admin_url = ProvisionSettings.model_validate(given.values).admin_database_url
    except ValidationError as error:
        raise SettingsError("; ".join(env.faults_of(error, ProvisionSettings, service, given))) from None
    databases = databases_of(service, settings)
    try:
        await provision(admin_url, *databases)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        sys.stderr.write(f"{service}: cannot be provisioned: {error}\n")
        return 1
    sys.stdout.write(f"{service}: provisioned {', '.join(database.name for database in databases)}\n")
    return 0


def databases_of(service: str, settings: ServiceSettings) -> list[ServiceDatabase | EventLogDatabase]:
    """The service's database, and the embedded event log's where there is one. Raises SettingsError for other names."""
    owner_url = settings.require_owner_url(service)
    name = urlsplit(owner_url).path.removeprefix("/")
    found: list[ServiceDatabase | EventLogDatabase] = [
        ServiceDatabase(
            name,
            owner_password=_password(owner_url, env.variable(service, "owner_database_url"), name, f"{name}_owner"),
            app_password=_password(settings.database_url, env.variable(service, "database_url"), name, f"{name}_app"),
            system_password=_password(
                settings.system_database_url, env.variable(service, "system_database_url"), name, f"{name}_system"
            ),
        )
    ]
    if settings.bus == "embedded" and settings.event_log_url is not None:
        log = urlsplit(settings.event_log_url).path.removeprefix("/")
        found.append(EventLogDatabase(_password(settings.event_log_url, "EVENT_LOG_URL", log, log), name=log))
    return found


def _password(url: str, variable: str, database: str, role: str) -> str:
    parts = urlsplit(url)
    if parts.path != f"/{database}" or unquote(parts.username or "") != role or not parts.password:
        raise SettingsError(f"{variable}: must name the database {database} and the role {role}, with a password")
    return unquote(parts.password)
