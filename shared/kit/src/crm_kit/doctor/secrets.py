"""The secret and its fallbacks: what is still sealed under which, so that one knows when a fallback may go."""

from collections.abc import AsyncIterator
from typing import Final

from crm_kit.db.session import ReadSession
from crm_kit.doctor.findings import Finding, fault, ok, warning
from crm_kit.keyring import Keyring
from crm_kit.manifest import Manifest
from crm_kit.resealing import MOST_LOOKED_AT, SealedTable, Standing, standing_of

_LASTING: Final = (
    "replayed answers need it for a day; cursors, and links that were given out, as long as they are to count"
)


async def look_at_secrets(session: ReadSession, manifest: Manifest, keyring: Keyring) -> AsyncIterator[Finding]:
    """In the system role's session. Nothing where there is nothing sealed and no fallback."""
    is_clean = True
    for table in manifest.sealed:
        for finding in _of_table(manifest, table, await standing_of(session, table, keyring)):
            is_clean = False
            yield finding
    if is_clean and keyring.fallbacks:
        yield ok("secrets", f"Nothing that lasts is sealed under a fallback of SECRET. Before it goes: {_LASTING}.")
    elif is_clean and manifest.sealed:
        yield ok("secrets", "All that is sealed is under the present SECRET.")


def _of_table(manifest: Manifest, table: SealedTable, standing: Standing) -> list[Finding]:
    found = []
    for key, count in sorted(standing.lost.items()):
        said = f"{_many(count)} of {table.name} are sealed under key {key}, which neither SECRET nor SECRET_FALLBACKS gives"
        advice = f"give that value back in SECRET_FALLBACKS; where it is lost, {table.remedy}"
        found.append(fault("secrets", f"{said}: {advice}."))
    if standing.openable:
        said = f"{_many(standing.openable)} of {table.name} are not sealed under the present SECRET"
        advice = f"run python -m {manifest.package} reencrypt, once every process has it, before a fallback goes"
        found.append(warning("secrets", f"{said}: {advice}."))
    return found


def _many(count: int) -> str:
    return f"{count:,} or more texts" if count >= MOST_LOOKED_AT else f"{count:,} texts"
