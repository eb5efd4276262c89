"""Pure decisions about accounts."""

import re

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


class InvalidDomain(ValueError):
    """Not a domain name."""


def normalise_domain(value: str) -> str:
    """The host name in lower case ASCII (IDNA), without scheme, path and `www.`. Raises InvalidDomain."""
    host = re.sub(r"^[a-z][a-z0-9+.-]*://", "", value.strip().lower()).partition("/")[0].rstrip(".")
    host = host.removeprefix("www.")
    try:
        ascii_host = host.encode("idna").decode()
    except UnicodeError as error:
        raise InvalidDomain(value) from error
    labels = ascii_host.split(".")
    if len(labels) < 2 or len(ascii_host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidDomain(value)
    return ascii_host
