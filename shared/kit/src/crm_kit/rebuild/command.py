"""`python -m <service> rebuild`."""

import argparse
import sys

from crm_kit.bus import EventLogError
from crm_kit.inbox import Consumer
from crm_kit.manifest import Manifest
from crm_kit.observability.logs import configure_logs
from crm_kit.rebuild.errors import RebuildFailed
from crm_kit.rebuild.progress import Progress
from crm_kit.rebuild.rebuild import open_rebuild


async def rebuild(manifest: Manifest, arguments: argparse.Namespace) -> int:
    """The exit code: 0, or 1 where it failed or, without a switch, found differences. Raises SettingsError."""
    settings = manifest.settings.load(manifest.name)
    configure_logs(manifest.name, "WARNING", settings.log_format)
    try:
        consumer = chosen(manifest, arguments.consumer)
        async with open_rebuild(consumer, settings, manifest.name, Progress(consumer.name)) as made:
            if arguments.clean:
                await made.clean()
                return 0
            differences = await made.run(switch=not arguments.no_switch, compare_first=not arguments.no_compare)
            return 1 if arguments.no_switch and differences else 0
    except (RebuildFailed, EventLogError) as error:
        sys.stderr.write(f"{manifest.package}: {error}\n")
        return 1


def chosen(manifest: Manifest, name: str | None) -> Consumer:
    """Raises RebuildFailed where that is no consumer, or where none is named and it is not clear which is meant."""
    rebuildable = [one for one in manifest.consumers if one.projection is not None and one.projection.by_default]
    if name is not None:
        for consumer in manifest.consumers:
            if consumer.name == name:
                return consumer
        names = ", ".join(one.name for one in manifest.consumers) or "none"
        raise RebuildFailed(f"{name} is no consumer of {manifest.name}; there are: {names}")
    if len(rebuildable) == 1:
        return rebuildable[0]
    if not rebuildable:
        raise RebuildFailed(f"{manifest.name} keeps no projection: there is nothing to rebuild")
    raise RebuildFailed(f"which one? {', '.join(one.name for one in rebuildable)}")
