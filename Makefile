# headway: `make help` lists what there is to do. Needs python3 (3.11 or newer), git and make; the rest lives in .venv.

PYTHON ?= python3#   the interpreter that makes .venv
JOBS ?= 2#           test processes; JOBS=0 runs them in one, for a debugger
FAULT_JOBS ?= 3#     test processes of the fault tests, which wait more than they compute
MARKS ?= not slow and not long and not gpu and not bench#   which marked tests `make test` runs; MARKS= runs all
T ?=#                pytest -k expression
PKG ?= tests#        path of a test folder or file
PYTEST_ARGS ?=#      anything else for pytest

BIN := .venv/bin
DEV := .venv/.installed-dev
HOST := .venv/.installed-host
PROTOS := $(wildcard protos/headway/v1/*.proto)
# The constraints reach the isolated build too: newer versions of pip read the second name for that, older ones the first.
INSTALL := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	$(BIN)/python -m pip install --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup setup-host proto check check-format check-lint check-types check-imports check-protos check-tidy \
	format test test-e2e test-fault test-fault-long reliability-report bench demo up buf-baseline clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEV) ## install everything into .venv: to develop, check and test

setup-host: $(HOST) ## install only what running needs into .venv: faster than setup

# Both stamps are renewed only when what they were made from is newer.
$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[host,dev]'
	@touch $(HOST) $@

$(HOST): pyproject.toml constraints.txt protos/build.py $(PROTOS) | $(BIN)/python
	$(INSTALL) -e '.[host]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "headway needs Python 3.11 or newer, and $(PYTHON) is older: try make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv

proto: $(DEV) ## regenerate headway/v1 where a proto has changed
	@$(BIN)/python protos/build.py

check: check-format check-lint check-types check-imports check-protos check-tidy ## format, lint, types, imports, protos, tidy

check-format: $(DEV)
	$(BIN)/ruff format --check .

check-lint: $(DEV)
	$(BIN)/ruff check .

check-types: proto
	$(BIN)/mypy

check-imports: proto
	$(BIN)/lint-imports

check-protos: proto
	$(BIN)/python protos/check.py

check-tidy: proto
	$(PYTEST) -q tests/tidy

docs: proto ## write the generated pages of docs/
	$(BIN)/python -m headway.contract.state_diagram > docs/states.md
	$(BIN)/python -m protos.event_pages

format: $(DEV) ## format Python and protos, and mend what ruff can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/buf format --write protos

test: proto ## run the tests: make test [PKG=tests/unit] [T='cancel and not late'] [MARKS=] [JOBS=0]
	$(PYTEST) -n $(JOBS) -m "$(MARKS)" $(if $(T),-k "$(T)") $(PYTEST_ARGS) $(PKG)

test-e2e: proto ## run the end-to-end tests, the slow ones too: real processes, real nats-server
	$(PYTEST) -n $(JOBS) -m "not gpu and not bench" $(if $(T),-k "$(T)") $(PYTEST_ARGS) tests/e2e

test-fault: proto ## run the fault tests, the slow ones too: real processes plus one injected fault each; ten minutes
	$(PYTEST) -n $(FAULT_JOBS) -m "not gpu and not bench and not long" --durations=10 $(if $(T),-k "$(T)") $(PYTEST_ARGS) tests/fault

test-fault-long: proto ## run the long fault tests alone: chaos, ten thousand jobs, the sweep of system calls
	$(PYTEST) -n $(FAULT_JOBS) -m "long" --durations=10 $(if $(T),-k "$(T)") $(PYTEST_ARGS) tests/fault tests/sim

reliability-report: proto ## run what holds faults and promises and write RELIABILITY.md; LONG=1 for the long ones, ALSO=TEST for one of them, SEED=N
	$(BIN)/python -m tests.fault.report --jobs $(FAULT_JOBS) $(if $(LONG),--long) $(ALSO:%=--also %) $(if $(SEED),--seed $(SEED))

bench: proto ## measure side by side and print the table; WRITE=1 puts it into docs/benchmarks.md
	$(BIN)/python -m tests.bench.run $(if $(WRITE),--write)

demo: $(HOST) ## train a model on real data, end to end, and show what to try next
	$(BIN)/headway demo

up: $(HOST) ## start all services on this machine
	$(BIN)/headway up

buf-baseline: proto ## make the protos as they are the baseline that `make check` compares with
	$(BIN)/python protos/check.py --write-baseline

clean: ## remove .venv, the generated stubs and every cache
	rm -rf .venv build dist .coverage .coverage.* htmlcov .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -f headway/v1/*_pb2*.py headway/v1/*_pb2*.pyi
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
