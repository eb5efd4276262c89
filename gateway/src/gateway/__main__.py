from crm_kit.cli import run

from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST

run(MANIFEST, authenticator=make_authenticator)
