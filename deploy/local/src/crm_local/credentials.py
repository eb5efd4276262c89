"""Secrets of one stack: generated once, kept in files that only their owner can read."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from crm_kit.db.provision import EventLogDatabase, ServiceDatabase

from crm_local.configuration import PROCESSES
from crm_local.errors import StackError
from crm_local.run_folder import read_json, write_json


@dataclass(frozen=True, slots=True)
class Credentials:
    """Database roles, the key that creates tenants, a signing secret for each process, and the token keys."""

    databases: dict[str, ServiceDatabase]
    event_log: EventLogDatabase
    admin_key: str
    secrets: dict[str, str]
    signing_key_file: Path
    jwks_file: Path

    def settings_of(self, name: str, server_url: str) -> dict[str, str]:
        """The secret settings of a service's process: each gets its own only."""
        urls, prefix = self.databases[name].urls(server_url), name.upper()
        own = {
            f"{prefix}_DATABASE_URL": urls.app,
            f"{prefix}_SYSTEM_DATABASE_URL": urls.system,
            f"{prefix}_OWNER_DATABASE_URL": urls.owner,
            "SECRET": self.secrets[name],
        }
        if name == "gateway":
            own |= {"ADMIN_KEY": self.admin_key, "SIGNING_KEY_FILE": str(self.signing_key_file)}
        return own


def ensure_credentials(folder: Path) -> Credentials:
    """Read them from `folder`, generating what is missing; raises `StackError` for a damaged file."""
    file = folder / "credentials.json"
    stored = read_json(file) or {}
    values = {name: stored.get(name) or secrets.token_urlsafe(32) for name in _names()}
    for name, value in values.items():
        if not isinstance(value, str):
            raise StackError(f"{file} is damaged at {name}: delete it, and it will be written anew")
    if values != stored:
        write_json(file, values)
    texts = {name: str(value) for name, value in values.items()}
    signing_key_file, jwks_file = _ensure_signing_key(folder)
    return Credentials(
        databases={
            name: ServiceDatabase(name, texts[f"{name}_owner"], texts[f"{name}_app"], texts[f"{name}_system"])
            for name in PROCESSES
        },
        event_log=EventLogDatabase(texts["event_log"]),
        admin_key=texts["admin_key"],
        secrets={name: texts[f"{name}_secret"] for name in PROCESSES},
        signing_key_file=signing_key_file,
        jwks_file=jwks_file,
    )


def _names() -> list[str]:
    return [
        "admin_key",
        "event_log",
        *(f"{name}_{part}" for name in PROCESSES for part in ("owner", "app", "system", "secret")),
    ]


def _ensure_signing_key(folder: Path) -> tuple[Path, Path]:
    """An Ed25519 key (RFC 8037) as JWK, and its public part as JWK set (RFC 7517)."""
    private, public = folder / "signing_key.json", folder / "jwks.json"
    stored = read_json(private)
    if stored is None:
        from joserfc.jwk import OKPKey

        key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "Ed25519"}, private=True, auto_kid=True)
        stored = {str(name): value for name, value in key.as_dict(private=True).items()}
        write_json(private, stored)
    open_part = {"keys": [{name: value for name, value in stored.items() if name != "d"}]}
    if not public.exists() or json.loads(public.read_text(encoding="utf-8")) != open_part:
        write_json(public, open_part)
    return private, public
