# The words that home and CI share. `make demo` and `make test` need Python 3.11+ and nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo sandbox browser test test-fuzz test-slow check bench bench-all prove docs setup clean
.DEFAULT_GOAL := help

# Images for containers often say that Python shall keep no bytecode. Here hundreds of programs are started, and
# pytest rewrites every test: without it a third of the time goes into compiling the same files again.
unexport PYTHONDONTWRITEBYTECODE

help:                 ## these words
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Reverie needs Python 3.11 or newer; this is $$($(PYTHON) --version). next: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "cannot make a virtual environment. next: install your system's venv package (Debian: apt install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

setup: $(VENV)/.dev   ## a virtual environment with everything for development

demo: $(VENV)/.installed  ## sessions made on the spot, dreamed over, three findings shown
	@$(BIN)/reverie demo

sandbox:              ## bubblewrap, where it is missing and may be installed
	@command -v bwrap > /dev/null || { test "$$(id -u)" = 0 && { apt-get install -yqq bubblewrap || { apt-get update -qq && apt-get install -yqq bubblewrap; }; } > /dev/null 2>&1; } || echo "bubblewrap is not here and cannot be installed: tests of its sandbox are skipped. next: install your system's bubblewrap package"

browser:              ## Chromium, where it is missing and may be installed
	@command -v chromium > /dev/null || { test "$$(id -u)" = 0 && { apt-get install -yqq chromium || { apt-get update -qq && apt-get install -yqq chromium; }; } > /dev/null 2>&1; } || echo "chromium is not here and cannot be installed: tests in a browser are skipped. next: install your system's chromium package"

test: $(VENV)/.dev sandbox browser  ## the everyday suite
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

test-fuzz: $(VENV)/.dev  ## 20,000 requests made from the API's document and from good ones
	@$(BIN)/python -m pytest -m slow tests/contract/test_fuzz.py --numprocesses auto --maxprocesses 4

test-slow: $(VENV)/.dev sandbox  ## the suites that take longer (kills, long properties)
	@$(BIN)/python -m pytest -m slow

check: $(VENV)/.dev   ## lint, format, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

bench: $(VENV)/.dev   ## numbers beside their limits: imports, dreams, appends, the server
	@$(BIN)/python -m benchmarks

bench-all: $(VENV)/.dev  ## the miners' too, with all their worlds (hours)
	@$(BIN)/python -m benchmarks --all

prove: $(VENV)/.dev sandbox  ## does what is dreamed help? Tables, and a plot in prove-out (minutes; `make prove WITH=--quick`)
	@$(BIN)/python -m examples.prove $(WITH)

docs: $(VENV)/.dev    ## the documents' examples and the command reference
	@$(BIN)/python -m pytest tests/docs

clean:                ## everything that can be made again
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist build
