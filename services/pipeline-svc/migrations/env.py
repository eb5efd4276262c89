from crm_kit.db.migrations import run_environment

run_environment()
