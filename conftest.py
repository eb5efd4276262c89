# With --import-mode=importlib pytest would take the folder gateway/ for the package of that name.
import gateway  # noqa: F401

pytest_plugins = ["crm_testkit.plugin"]
