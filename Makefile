# Targets that work; `make help` lists them. Everything needs Python 3.11+, make and the package registries only.
SHELL := /bin/bash
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := build/uv/bin/uv
BIN := .venv/bin
# Tests that start real nodes, or measure: beside others they would be wrong.
ONE_BY_ONE := needs_kubelet or node_e2e or alone
# Those with a control plane wait most of their time, and one control plane is as much as a core carries.
PLANES := 2

.DEFAULT_GOAL := help
.PHONY: help env run plane image e2e-node test bench soak fuzz chaos lint unit integration generate clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1); set PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv build/uv
	@build/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.synced: pyproject.toml uv.lock | $(UV)
	@$(UV) sync --locked --quiet --python $(PYTHON)
	@touch $@

env: .venv/.synced ## .venv with everything locked

run: env ## the whole thing on a local control plane with simulated GPUs; ONCE=1 ends when settled, FAULTS=file.json breaks GPUs
	@$(BIN)/python -m e2e.run $(if $(ONCE),--once) $(if $(FAULTS),--faults "$(FAULTS)")

plane: env ## a control plane left running for a person; writes build/plane/kubeconfig; REAL=1 with a node that runs containers
	@$(BIN)/python -m e2e.plane $(if $(REAL),--real-nodes $(REAL))

image: env ## our container image from the Dockerfile, without a Docker engine; root on Debian
	@$(BIN)/python -m e2e.image

e2e-node: env ## on real nodes, root on Debian: the scenario of make run with ours in pods, then the long tests; ONCE=0: looks on
	@$(BIN)/python -m e2e.node_run $(if $(filter 0,$(ONCE)),,--once)
	@$(if $(filter 0,$(ONCE)),,CI="$${CI:-true}" $(BIN)/pytest -m node_e2e)

lint: env ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

generate: env ## write generated files: CRDs, OpenAPI document, API reference, pages of v1alpha1, hardware, sizing and plans, schema of the models' files, kubelet messages
	$(BIN)/python -m api.openapi.crd --out charts/aim-gpu-sharing/files/crds
	$(BIN)/python -m api.openapi.openapi_document --out api/openapi/openapi.json
	$(BIN)/python -m api.openapi.reference --out docs/api-reference.md
	$(BIN)/python -m api.openapi.mapping_table --into docs/v1alpha1.md
	$(BIN)/python -m controller.sizing.family_file --out controller/sizing/data/family.schema.json
	$(BIN)/python -m controller.cli.hardware_page --into docs/hardware.md
	$(BIN)/python -m controller.cli.sizing_page --into docs/sizing.md
	$(BIN)/python -m controller.cli.plan_page --into docs/repartitioning.md
	$(BIN)/python -m controller.cli.size_page --into docs/sizing-examples.md
	$(BIN)/python -m tests.controller.agent.kubelet_messages

test: lint ## lint, types, contracts, unit, fake API, integration on the real control plane
	$(BIN)/python -m e2e.plane build
	@failed=0; \
	$(BIN)/pytest -n logical -m "not (plane or $(ONE_BY_ONE))" || failed=$$?; \
	$(BIN)/pytest -n $(PLANES) --dist loadfile --no-loadscope-reorder -m "plane and not ($(ONE_BY_ONE))" || failed=$$?; \
	$(BIN)/pytest -m "($(ONE_BY_ONE)) and not node_e2e" || failed=$$?; \
	exit $$failed

bench: env ## benchmarks, into build/bench: NAME=controller; DATA="runs=1 sizes=1000" for a look. NAME=sizing; DATA=FILE of observations. NAME=packing; NAME=placement; NAME=binding; DATA="nodes=4 pods=200". NAME=gateway; DATA="runs=1 peers=haproxy parts=throughput"
	@UV=$(abspath $(UV)) $(BIN)/python -m tests.benchmarks $(NAME) --data "$(DATA)"

soak: env ## half an hour of churn against one controller, into build/soak: DURATION=seconds, SEED=number
	@$(BIN)/python -m tests.soak $(if $(DURATION),--duration $(DURATION)) $(if $(SEED),--seed $(SEED))

fuzz: env ## long searches: what conversion loses (COUNT=objects a kind and direction), how the scheduler breaks its word (SEQUENCES=histories), what breaks the gateway (LIMIT=seconds); SUBJECT=conversion, scheduler, gateway, all or defects, SEED=number
	@$(if $(filter-out conversion scheduler,$(or $(SUBJECT),all)),$(UV) sync --locked --quiet --inexact --group fuzz)
	@$(BIN)/python -m tests.fuzz $(if $(SUBJECT),--subject $(SUBJECT)) $(if $(COUNT),--count $(COUNT)) $(if $(SEQUENCES),--sequences $(SEQUENCES)) $(if $(SEED),--seed $(SEED)) $(if $(LIMIT),--limit $(LIMIT))

chaos: env ## kills and faults during mode changes on a local control plane, into build/chaos: SWEEP=all, ONLY=a name or text of names, SEED=number of an order; SWEEP=gateway: replicas of the gateway under load, EVENTS=number
ifeq ($(SWEEP),gateway)
	@$(BIN)/python -m tests.integration.gateway.replicas $(if $(EVENTS),--events $(EVENTS)) $(if $(SEED),--seed $(SEED))
else
	@$(BIN)/python -m tests.integration.sweep $(if $(SWEEP),--sweep $(SWEEP)) $(if $(ONLY),--only="$(ONLY)") $(if $(SEED),--seed $(SEED))
endif

clean: ## remove .venv and build (the cache of built binaries stays)
	rm -rf .venv build
