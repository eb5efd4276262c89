"""`python benchmarks/unobserved.py serve --only api`: a gateway that leaves nothing of a request behind, neither metrics nor lines."""

from crm_kit.cli import run
from crm_kit.observability.requests import RequestRecorder
from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST


def _nothing(*_: object, **__: object) -> None:
    return


if __name__ == "__main__":
    RequestRecorder.record = _nothing  # type: ignore[method-assign]  # there is no setting for this
    run(MANIFEST, authenticator=make_authenticator)
