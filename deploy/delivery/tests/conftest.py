import pytest
from crm_delivery import render


@pytest.fixture(scope="session")
def helm() -> str:
    """The program; without it the test is skipped."""
    try:
        return render.find_helm()
    except render.HelmMissing as missing:
        pytest.skip(str(missing))
