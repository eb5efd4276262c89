from crm_kit.cli import run

from contacts_svc.manifest import MANIFEST

run(MANIFEST)
