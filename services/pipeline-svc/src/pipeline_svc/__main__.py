from crm_kit.cli import run

from pipeline_svc.manifest import MANIFEST

run(MANIFEST)
