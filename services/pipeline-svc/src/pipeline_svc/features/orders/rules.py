"""Pure decisions about orders."""

from typing import Final

NUMBER_PATTERN: Final = "^O-[0-9]{6,15}$"
"""The numbers that we give, as a regular expression."""


def generated_number(count: int) -> str:
    """`O-000001`, `O-000002`, … and with more digits once six are not enough."""
    return f"O-{count:06}"
