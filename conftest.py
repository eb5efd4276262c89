# With --import-mode=importlib pytest would take the folder gateway/ for the package of that name.
import gateway  # noqa: F401  imported for that effect

pytest_plugins = ["crm_testkit.plugin"]
