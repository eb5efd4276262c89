"""The lifecycle, for the records that are held against it."""

from typing import Final

import orjson
from crm_contracts.lifecycle import LifecycleStep
from crm_kit.db.locks import lock_keys
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.db.standing import Standing

from contacts_svc.features.stages.rules import USUAL_STAGES, Stages

_SPACE: Final = "lifecycle"
_STAGES: Final = Sql("select initial, stages::text as stages from lifecycle")


async def lock_lifecycle(session: WriteSession) -> None:
    """Waits for every record that is being written; until the transaction ends none comes into a stage."""
    await lock_keys(session, _SPACE, [""])


async def _load(session: ReadSession) -> Stages:
    for row in await session.fetch(_STAGES, {}):
        steps = (LifecycleStep.model_validate(each) for each in orjson.loads(row["stages"]))
        return Stages(row["initial"], tuple(steps))
    return USUAL_STAGES


STAGES: Final[Standing[Stages]] = Standing(_SPACE, "", "lifecycle_mark", _load)
