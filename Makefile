# Targets that work; `make help` lists them. Everything needs Python 3.11+, make and the package registries only.
SHELL := /bin/bash
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := build/uv/bin/uv
BIN := .venv/bin
# Workers that have a control plane, of which one is as much as a core carries. Their tests wait much of their time: beside
# them others compute (tests/shared_out.py).
PLANES := 2
# Files with tests that measure, and would be wrong beside others; of all files they would be looked for for half a minute.
ALONE = $(shell grep -rlE '\bmark\.alone\b' --include='test_*.py' tests | sort)
# pytest that compiles a file once for all workers, also where nothing is to be written beside the sources: else rewriting their asserts
# is half of what collecting them costs each worker.
PYTEST := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/build/pycache $(BIN)/pytest
# What failed in all parts of `make test`: the last part tells it, too.
FAILURES := build/test/failures.txt
DEBIAN = $(shell sed -n 's/^FROM \(debian:[^ ]*\).*/\1/p' Dockerfile)

.DEFAULT_GOAL := help
.PHONY: help env run plane image image-check e2e-node e2e kind-up kind-down test test-in-debian docs bench soak fuzz chaos rights lint audit publish-check publish unit integration generate clean

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

run: env ## the whole thing on a local control plane with simulated GPUs; ONCE=1 ends when settled, FAULTS=file.json breaks GPUs, PROMETHEUS=1 has one beside
	@$(BIN)/python -m e2e.run $(if $(ONCE),--once) $(if $(FAULTS),--faults "$(FAULTS)") $(if $(PROMETHEUS),--prometheus)

plane: env ## a control plane left running for a person; writes build/plane/kubeconfig; REAL=1 with a node that runs containers
	@$(BIN)/python -m e2e.plane $(if $(REAL),--real-nodes $(REAL))

image: env ## our container image from the Dockerfile, without a Docker engine; root on Debian
	@$(BIN)/python -m e2e.image

image-check: env ## whether the Dockerfile keeps its rules and the lock is fresh; builds the image, prints its compressed size and starts all of it; root on Debian
	@$(BIN)/python -m e2e.image.check

e2e-node: env ## on real nodes, root on Debian: the scenario of make run with ours in pods, then the long tests; ONCE=0: looks on
	@$(BIN)/python -m e2e.node_run $(if $(filter 0,$(ONCE)),,--once)
	@$(if $(filter 0,$(ONCE)),,CI="$${CI:-true}" $(BIN)/pytest -m node_e2e)

e2e: env ## the chart's scenarios, from install to uninstall, on the cluster of KUBECONFIG; without it on a real node of its own, root on Debian; ONCE=0: such a node to try the chart on, until Ctrl-C; PLANTED=1: whether the scenarios notice faults of the chart
	@$(BIN)/python -m e2e.suite $(if $(PLANTED),--planted,$(if $(filter 0,$(ONCE)),--look))

kind-up: env ## a cluster of kind with KServe, cert-manager and our image; needs Docker and the internet; writes build/kind/kubeconfig
	@$(BIN)/python -m e2e.kind up

kind-down: env ## its end; what it logged stays in build/kind/logs
	@$(BIN)/python -m e2e.kind down

lint: env ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: env ## the documentation as a site, into build/site; fails for a link or a page that is left over; SERVE=1 shows it at 127.0.0.1:8000 and follows changes
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs $(if $(SERVE),serve,build --strict)

audit: env ## known vulnerabilities and licences of what the image has of others; asks pypi.org; SERVICE=osv asks OSV, DATABASE=FOLDER looks into a copy of PyPA's advisories
	@UV=$(abspath $(UV)) $(BIN)/python -m e2e.audit $(if $(SERVICE),--service $(SERVICE)) $(if $(DATABASE),--database "$(DATABASE)")

publish-check: env ## whether TAG=v1.2.3 may be released: versions and changelog say so
	@$(BIN)/python -m e2e.publish check --tag "$$TAG"

publish: env ## build, push and sign image and chart: REGISTRY=ghcr.io/somebody TAG=v1.2.3; needs Docker, cosign and a login
	@$(BIN)/python -m e2e.publish push --tag "$$TAG" --registry "$$REGISTRY"

generate: env ## write generated files: CRDs, OpenAPI document, API reference, pages of v1alpha1, hardware, sizing and plans, schema of the models' files, kubelet messages, rules, dashboards, manifest without Helm
	$(BIN)/python -m api.openapi.crd --out charts/aim-gpu-sharing/files/crds --together api/openapi/crds.yaml
	$(BIN)/python -m api.openapi.openapi_document --out api/openapi/openapi.json
	$(BIN)/python -m api.openapi.reference --out docs/api-reference.md
	$(BIN)/python -m api.openapi.mapping_table --into docs/v1alpha1.md
	$(BIN)/python -m controller.sizing.family_file --out controller/sizing/data/family.schema.json
	$(BIN)/python -m controller.cli.hardware_page --into docs/hardware.md
	$(BIN)/python -m controller.cli.sizing_page --into docs/sizing.md
	$(BIN)/python -m controller.cli.plan_page --into docs/repartitioning.md
	$(BIN)/python -m controller.cli.size_page --into docs/sizing-examples.md
	$(BIN)/python -m controller.cli.metrics_reference --into docs/metrics.md
	$(BIN)/python -m tests.controller.agent.kubelet_messages
	$(BIN)/python -m dashboards.rules --out dashboards/rules
	$(BIN)/python -m dashboards.rules.index_page --into docs/runbooks/README.md
	$(BIN)/python -m dashboards --out dashboards/json
	$(BIN)/python -m handbook.drawings --out docs/images
	mkdir -p charts/aim-gpu-sharing/files/dashboards
	cp dashboards/json/*.json charts/aim-gpu-sharing/files/dashboards/
	cp dashboards/rules/aim-gpu-sharing.rules.yaml charts/aim-gpu-sharing/files/rules.yaml
	$(BIN)/python -m e2e.chart --into charts/install
	$(BIN)/python -m olm --out olm
	$(BIN)/python -m e2e.chart.values_page --into charts/aim-gpu-sharing/README.md

test: env ## lint, types, contracts, unit, fake API, integration on the real control plane, image-check where it can be
	@# what checks types leaves a core to what compiles the tests
	@$(PYTEST) --collect-only -q >/dev/null 2>&1 & $(MAKE) --no-print-directory lint && wait
	$(BIN)/python -m e2e.plane build
	@rm -f $(FAILURES); failed=0; \
	$(BIN)/python -m e2e.image.check --where-possible || { failed=$$?; mkdir -p $(dir $(FAILURES)); echo "image-check: exit $$failed" >> $(FAILURES); }; \
	$(PYTEST) --failures=$(FAILURES) -n auto --planes $(PLANES) -m "not (alone or node_e2e)" || failed=$$?; \
	$(PYTEST) --failures=$(FAILURES) -m "alone and not node_e2e" $(ALONE) || failed=$$?; \
	exit $$failed

test-in-debian: ## make test as root in the Debian that our image is made from, by Docker, privileged: it starts real nodes
	@mkdir -p build/debian-cache
	docker run --rm --privileged --env CI=true --workdir /source --volume "$(CURDIR):/source" --volume /source/.venv \
	  --volume /source/build --volume "$(CURDIR)/build/debian-cache:/root/.cache" --volume /var/lib/containerd $(DEBIAN) sh -euc \
	  'apt-get update -q; apt-get install -qy --no-install-recommends ca-certificates gcc git iproute2 libc6-dev make python3 python3-venv; make test'

bench: env ## benchmarks, into build/bench: NAME=controller; DATA="runs=1 sizes=1000" for a look. NAME=sizing; DATA=FILE of observations. NAME=packing; NAME=placement; NAME=binding; DATA="nodes=4 pods=200". NAME=scale; DATA="nodes=50 pods=500 wave=125". NAME=gateway; DATA="runs=1 peers=haproxy parts=throughput". NAME=telemetry
	@UV=$(abspath $(UV)) $(BIN)/python -m tests.benchmarks $(NAME) --data "$(DATA)"

soak: env ## half an hour of churn against one controller, into build/soak: DURATION=seconds, SEED=number
	@$(BIN)/python -m tests.soak $(if $(DURATION),--duration $(DURATION)) $(if $(SEED),--seed $(SEED))

fuzz: env ## long searches: what conversion loses (COUNT=objects a kind and direction), how the scheduler breaks its word (SEQUENCES=histories), what breaks the gateway (LIMIT=seconds); SUBJECT=conversion, scheduler, gateway, all or defects, SEED=number
	@$(if $(filter-out conversion scheduler,$(or $(SUBJECT),all)),$(UV) sync --locked --quiet --inexact --group fuzz)
	@$(BIN)/python -m tests.fuzz $(if $(SUBJECT),--subject $(SUBJECT)) $(if $(COUNT),--count $(COUNT)) $(if $(SEQUENCES),--sequences $(SEQUENCES)) $(if $(SEED),--seed $(SEED)) $(if $(LIMIT),--limit $(LIMIT))

rights: env ## whether operator, agents and live map need every right that the chart gives them, by the audit log of tests that use them; minutes
	@$(BIN)/python -m tests.rights

chaos: env ## kills and faults during mode changes on a local control plane, into build/chaos: SWEEP=all, ONLY=a name or text of names, SEED=number of an order; SWEEP=gateway: replicas of the gateway under load, EVENTS=number; SWEEP=random: half an hour of random faults under churn, judged by every invariant, DURATION=seconds, SEED=number, KINDS=kill,stop
ifeq ($(SWEEP),gateway)
	@$(BIN)/python -m tests.integration.gateway.replicas $(if $(EVENTS),--events $(EVENTS)) $(if $(SEED),--seed $(SEED))
else ifeq ($(SWEEP),random)
	@$(BIN)/python -m tests.chaos $(if $(DURATION),--duration $(DURATION)) $(if $(SEED),--seed $(SEED)) $(if $(KINDS),--kinds "$(KINDS)")
else
	@$(BIN)/python -m tests.integration.sweep $(if $(SWEEP),--sweep $(SWEEP)) $(if $(ONLY),--only="$(ONLY)") $(if $(SEED),--seed $(SEED))
endif

clean: ## remove .venv and build (the cache of built binaries stays)
	rm -rf .venv build
