pytest_plugins = ["crm_testkit.plugin"]
