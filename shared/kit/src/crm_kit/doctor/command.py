"""Runs every check and prints what it found; exit code 1 where there is a fault."""

import json
import os
import sys
from argparse import Namespace
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Final

from crm_kit.doctor.certificates import look_at_certificates
from crm_kit.doctor.database import look_at_database
from crm_kit.doctor.event_log import look_at_event_log
from crm_kit.doctor.findings import Finding, fault, warning
from crm_kit.doctor.tables import look_at_tables
from crm_kit.environment import probably_meant
from crm_kit.manifest import Manifest
from crm_kit.settings import ServiceSettings

_SIGNS: Final = {"ok": "ok     ", "warning": "WARNING", "fault": "FAULT  "}


async def run(manifest: Manifest, settings: ServiceSettings, arguments: Namespace) -> int:
    """The exit code."""
    found = [finding async for finding in look(manifest, settings)]
    if arguments.json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in found], indent=2) + "\n")
    else:
        for finding in found:
            sys.stdout.write(f"{_SIGNS[finding.state]} {manifest.name}: {finding.check}: {finding.sentence}\n")
    return 1 if any(finding.state == "fault" for finding in found) else 0


async def look(manifest: Manifest, settings: ServiceSettings) -> AsyncIterator[Finding]:
    """Whatever a check itself fails with is a finding too: what comes after it is looked at all the same."""
    for given, meant in probably_meant(manifest.settings, manifest.name, os.environ).items():
        yield warning("settings", f"{given} is read by nothing: is {meant} meant?")
    for finding in await look_at_certificates(settings):
        yield finding
    for check, looking in (
        ("database", look_at_database(manifest, settings)),
        ("tables", look_at_tables(manifest, settings)),
        ("event log", look_at_event_log(manifest, settings)),
    ):
        try:
            async for finding in looking:
                yield finding
        except Exception as error:
            yield fault(check, f"The check itself failed with {type(error).__name__}: {error}; please report it.")
