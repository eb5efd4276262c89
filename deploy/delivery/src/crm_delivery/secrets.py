"""`python -m crm_delivery.secrets`: Secrets with random values, for a first installation.

They are printed as manifests, and kept nowhere else: `… | kubectl --namespace relata apply --filename -`. Who has a store of
secrets puts the same names and keys there instead.
"""

import json
import secrets
import sys
from collections.abc import Iterable

import yaml
from joserfc.jwk import OKPKey

from crm_delivery.topology import topology

Secrets = dict[str, dict[str, str]]
"""Values by the Secret's name and its key."""


def new_secrets(services: Iterable[str], prefix: str = "relata") -> Secrets:
    """All that the chart refers to, but those of mail, of users of Kafka, and of who makes databases."""
    made: Secrets = {}
    for service in services:
        keys = ("secret", "app-password", "system-password", *(("admin-key",) if service == "gateway" else ()))
        made[f"{prefix}-{service}"] = {key: secrets.token_urlsafe(32) for key in keys}
        made[f"{prefix}-{service}-owner"] = {"password": secrets.token_urlsafe(32)}
    key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "Ed25519"}, private=True, auto_kid=True)
    made[f"{prefix}-gateway"]["signing-key.json"] = json.dumps(key.as_dict(private=True))
    made[f"{prefix}-verification"] = {"jwks.json": json.dumps({"keys": [key.as_dict(private=False)]})}
    made[f"{prefix}-event-log"] = {"password": secrets.token_urlsafe(32)}
    return made


def manifests(made: Secrets) -> str:
    """As Kubernetes' objects."""
    return yaml.safe_dump_all(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque", "stringData": values}
        for name, values in made.items()
    )


if __name__ == "__main__":
    sys.stdout.write(manifests(new_secrets(topology()["services"], *sys.argv[1:2])))
