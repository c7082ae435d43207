.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP = if [ -x $(BIN)/pip ]; then set -- $(BIN)/pip; else set -- $(PYTHON) -m pip --python $(VENV); fi; "$$@" --disable-pip-version-check
RUN := $(VENV)/.run
DEV := $(VENV)/.dev

# The tests start hundreds of processes, each of which would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup check format test e2e big demo up docs bench lock clean

help: ## List what there is
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}' | sed 's/: [^ ]* */ /'

setup: $(DEV) ## Make the virtual environment, from the lock files

$(RUN): requirements.lock pyproject.toml fingerpost.py
	@$(PYTHON) -c 'import sys; sys.exit("Fingerpost needs Python 3.11 or later: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	@echo "installing into $(VENV) …"
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip $(VENV)
	@$(PIP) install -q --require-hashes -r requirements.lock
	@$(PIP) install -q --no-build-isolation --no-deps -e .
	@touch $@

$(DEV): $(RUN) requirements-dev.lock
	@$(PIP) install -q --require-hashes -r requirements-dev.lock
	@touch $@

check: $(DEV) ## Formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright

format: $(DEV) ## Put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(DEV) ## All tests that need Python alone
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not e2e and not big"

e2e: $(DEV) ## Tests with npm and real clients
	$(BIN)/python -m pytest -n 4 --dist loadfile -m e2e

big: $(DEV) ## The long chaos and size runs
	$(BIN)/python -m pytest -m big

demo: $(RUN) ## Watch a post go out, from the request to the signed webhook
	@$(BIN)/fingerpost demo

up: $(RUN) ## Start everything on this machine, ready for your first post
	@$(BIN)/fingerpost up

docs: $(DEV) ## Write the generated pages of docs/
	$(BIN)/python -m docs.generate

bench: $(DEV) ## Measure, as ratios within one run
	$(BIN)/python -m bench

lock: $(DEV) ## Pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile -q -U --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q -U --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group dev -c requirements.lock -o requirements-dev.lock

clean: ## Take away what make has made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
