# Everything runs from a virtual environment in .venv that these rules make; nothing else needs to be installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow check docs gallery bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/.ready
	$(BIN)/python -m convscope.cli.demo

test: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

# What takes minutes: a whole report, the examples of docstrings, the wheel, whole ascents in bfloat16.
test-slow: $(VENV)/.ready-dev
	CONVSCOPE_SLOW_TESTS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m slow

check: docs $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The site, in build/site. A warning is an error; nothing is fetched.
docs: $(VENV)/.ready-dev
	DISABLE_MKDOCS_2_WARNING=true NO_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs build --quiet --strict

# Runs the code of each gallery page in full and writes the pictures that the page shows.
gallery: $(VENV)/.ready-dev
	$(BIN)/python -m benchmarks.gallery

# Everything that writes numbers into the documentation, some hours; BENCH=speed is the timed
# part alone, a quarter of an hour on a quiet machine.
bench: $(VENV)/.ready-bench
	$(BIN)/python -m benchmarks $(BENCH)

$(VENV)/bin/python:
	$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'Convscope needs Python 3.11 or newer; this is ' + sys.version.split()[0])"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.ready-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@ $(VENV)/.ready

$(VENV)/.ready-bench: pyproject.toml constraints.txt | $(VENV)/.ready-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev,bench]"
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info out
