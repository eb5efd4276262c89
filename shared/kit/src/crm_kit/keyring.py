"""The secret of a service and, while it is rotated, others that count too."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keyring:
    """`present` seals and signs; what any of them has sealed or signed opens and passes.

    `fallbacks` hold the next one before it becomes the present one, and the one before afterwards: processes that
    have it already and processes that have it still may then run side by side.
    """

    present: str
    fallbacks: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[str]:
        """The present one first."""
        yield self.present
        yield from self.fallbacks

    def __repr__(self) -> str:
        return f"Keyring(<present>, <{len(self.fallbacks)} fallbacks>)"
