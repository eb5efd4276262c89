"""A transaction that may turn out to be a single statement."""

from typing import Any, NoReturn, TypeVar

from crm_kit.db.assuming import Assumed
from crm_kit.db.session import WriteSession
from crm_kit.db.standing import Kept, Standing, StandingCache

ValueT = TypeVar("ValueT")


class NeedsTransaction(Exception):  # it is no error: what asks is run again, in a transaction
    """Something was asked of the database, or is to be written, that one statement cannot do."""


class UnbegunSession(WriteSession):
    """For a use case that may write without having read: its changes stay in `put_off`, and so far nothing has happened.

    What it asks of the database raises NeedsTransaction; what stands it takes from what the process knows.
    """

    def __init__(self, tenant_id: str, standings: StandingCache) -> None:
        super().__init__(None, tenant_id, standings)  # type: ignore[arg-type]  # whatever would ask it settles first
        self.gathers = True
        self.assumed: dict[Standing[Any], Kept] = {}
        """What must stand when the changes are written."""

    @property
    def marks(self) -> Assumed:
        """By which that is known to stand."""
        return tuple((standing, kept.mark) for standing, kept in self.assumed.items())

    async def _settle(self) -> NoReturn:
        raise NeedsTransaction

    async def hold(self, *standings: Standing[Any]) -> None:
        for each in standings:
            await self.standing(each)

    async def standing(self, standing: Standing[ValueT]) -> ValueT:
        kept = self.assumed.get(standing) or self._standings.get(self.tenant_id, standing)
        if kept is None:
            raise NeedsTransaction
        self.assumed[standing] = kept
        value: ValueT = kept.value
        return value

    async def known(self, standing: Standing[ValueT]) -> ValueT:
        return await self.standing(standing)

    def add(self, *_rows: object) -> NoReturn:
        raise NeedsTransaction
