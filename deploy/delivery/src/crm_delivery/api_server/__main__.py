"""Builds the server. `make apiserver` then runs the tests that need it."""

import sys

from crm_delivery.api_server.programs import build
from crm_delivery.published import NotToBeHad

if __name__ == "__main__":
    try:
        sys.stdout.write(f"{build()}\n")
    except NotToBeHad as reason:
        sys.exit(f"no API server: {reason}")
