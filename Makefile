# Everything a developer or a first-time user runs. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
UV_VERSION := 0.13.9

# uv from the PATH where there is one; otherwise our own copy in .uv, installed once with pip.
UV := $(shell command -v uv 2>/dev/null || echo $(CURDIR)/.uv/bin/uv)
BIN := $(CURDIR)/.venv/bin
MEMBERS := contracts libs/observability libs/event-bus libs/file-store libs/run-engine libs/service-process libs/tool-service \
	services/gateway services/run-orchestrator services/moodle-tool simulators/model simulators/moodle cli
# What has an image, and so a lock of its own: deploy/images/.
IMAGES := gateway run-orchestrator moodle-tool threadworks model-simulator moodle-simulator
PYPROJECTS := pyproject.toml $(addsuffix /pyproject.toml,$(MEMBERS))

.PHONY: help run up test check bench chaos install lock format contracts clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: install ## everything in one process on an embedded PostgreSQL: http://127.0.0.1:8080
	@exec $(BIN)/threadworks run

up: install ## separate processes on a real Apache Kafka and PostgreSQL (GATEWAYS=1 ORCHESTRATORS=2 MOODLE_TOOLS=1)
	@exec $(BIN)/threadworks up

test: install ## all tests, with a real PostgreSQL and a real Kafka that the fixtures start
	$(BIN)/pytest $(TESTS)

check: install ## lint, format, types, imports, contracts, manifests, Dockerfiles
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m message_contracts check
	$(BIN)/hadolint --config deploy/images/hadolint.yaml deploy/images/*.Dockerfile
	$(BIN)/pytest --quiet deploy/k8s

bench: install ## runs per second beside the bare pipeline, streams, and scaling under load, on this machine, in one run
	$(BIN)/python bench/run.py
	$(BIN)/python bench/streams.py
	$(BIN)/python bench/scaling.py

chaos: install ## only the tests that kill processes and servers
	$(BIN)/pytest tests/chaos

install: .venv/.installed ## the environment in .venv, from the hashed locks

lock: $(UV) ## resolve again and write locks/*.txt (uv.lock names hosts and stays out of git)
	$(UV) lock
	$(UV) export --quiet --frozen --all-packages --all-extras --group dev --no-emit-workspace --no-header --format requirements.txt --output-file locks/all.txt
	for image in $(IMAGES); do \
		$(UV) export --quiet --frozen --package $$image --no-dev --no-emit-workspace --no-header --format requirements.txt --output-file locks/$$image.txt; \
	done

format: install ## format and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

contracts: install ## generate the models of the contracts again
	$(BIN)/python -m message_contracts generate

clean: ## remove the environment and local data
	rm -rf .venv .threadworks

$(CURDIR)/.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# The members are installed in place and without their dependencies: those came from the lock, each with its hash.
.venv/.installed: locks/all.txt $(PYPROJECTS) | $(UV)
	$(UV) venv --quiet --allow-existing --python "$(PYTHON)" .venv
	$(UV) pip sync --quiet --python .venv --require-hashes locks/all.txt
	$(UV) pip install --quiet --python .venv --no-deps $(addprefix --editable ./,$(MEMBERS))
	@touch $@
