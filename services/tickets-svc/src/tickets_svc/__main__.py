from crm_kit.cli import run

from tickets_svc.manifest import MANIFEST

run(MANIFEST)
