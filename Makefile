# Needs python3 (3.11 or newer) and make; everything else goes into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Passed on to the command, as in: make test ARGS="-k poll"
ARGS ?=
# Each process of the tests has servers of its own; most tests wait for something. Servers that are given are shared: 0.
PROCESSES ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos soak lint audit docs check bench release clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.installed ## Create .venv and install syncer with all it needs

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "syncer needs Python 3.11 or newer; choose one: make PYTHON=python3.12 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: setup ## Run syncer on embedded servers and real text (ARGS=--once: end after the examples)
	$(BIN)/syncer demo $(ARGS)

test: setup ## Run the tests, on embedded servers unless SYNCER_TEST_… says otherwise (tests/conftest.py)
	$(BIN)/pytest --numprocesses $(PROCESSES) --dist worksteal $(ARGS)

chaos: setup ## Run 210 scenarios of random writers and faults (ARGS="--chaos-seed 1": again)
	$(BIN)/pytest tests/chaos --chaos-scenarios 210 $(ARGS)

soak: setup ## Run a daemon for 30 minutes, with writers and trouble, and see that nothing grows
	$(BIN)/pytest tests/acceptance/test_soak.py -s --soak-seconds 1800 $(ARGS)

lint: setup ## Check style, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

audit: setup ## Compare the pinned packages with the known advisories, which needs the network
	test -x $(VENV)/audit/bin/pip-audit || { $(PYTHON) -m venv $(VENV)/audit \
	  && $(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1; }
	$(VENV)/audit/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip $(ARGS)

check: lint test ## Everything that must pass before a commit

docs: setup ## Build the documentation, as pages in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet $(ARGS)

bench: setup ## Print speed and memory beside those of a plain loop
	$(BIN)/pytest -m benchmark -s tests/benchmarks $(ARGS)

release: setup ## Check, build, try and sign what a release is made of, in dist; uploads nothing
	$(BIN)/python tools/release.py

clean: ## Delete .venv, caches and builds
	rm -rf $(VENV) dist build site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
