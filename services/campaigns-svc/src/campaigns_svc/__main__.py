from crm_kit.cli import run

from campaigns_svc.manifest import MANIFEST

run(MANIFEST)
