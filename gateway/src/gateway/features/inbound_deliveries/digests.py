"""The keys under which digests are made: one for each tenant, random and sealed, so that what was digested stays comparable when
SECRET is rotated.
"""

import os
from typing import Final

from crm_kit.db.session import Database
from crm_kit.http.sealing import Sealer
from crm_kit.keyring import Keyring

from gateway.features.inbound_deliveries import repository
from gateway.features.inbound_deliveries.models import DIGEST_SEALED_FOR
from gateway.inbound.merging import Digest, digest_under

_KEY_BYTES: Final = 32
_MOST_KEPT: Final = 10_000


class Digests:
    """Of one process."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._present = keyring.present.encode()
        self._sealer = Sealer(keyring, DIGEST_SEALED_FOR)
        self._known: dict[str, Digest] = {}

    async def of(self, tenant_id: str) -> Digest:
        """Raises Unsealable."""
        known = self._known.get(tenant_id)
        if known is None:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[tenant_id] = known = digest_under(await self._key(tenant_id))
        return known

    async def _key(self, tenant_id: str) -> bytes:
        async with self._database.write(tenant_id) as session:
            sealed = await repository.digest_key(session)
            if sealed is None:
                # Digests from before there were such keys are under SECRET itself, as it was then.
                has_some = await repository.has_applied(session)
                made = self._present if has_some else os.urandom(_KEY_BYTES)
                await repository.keep_digest_key(session, self._sealer.seal(made, tenant_id))
                sealed = await repository.digest_key(session)
        assert sealed is not None, "it, or another process's, was kept"
        return self._sealer.unseal(sealed, tenant_id)
