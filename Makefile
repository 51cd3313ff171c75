# firstlight: everything a fresh machine needs is git, Python 3.11 or newer with venv, and make.
#   make demo     sets everything up, then does the main job on the penguins table, then the straight line
#   make test     sets everything up, then checks style and types and runs the tests

SHELL := /bin/sh
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq --constraint constraints.txt
PENGUINS := src/firstlight/datasets/penguins.csv

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench

help:  ## what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1#\2/p' $(MAKEFILE_LIST) | while IFS='#' read -r name what; do \
		printf '%-12s %s\n' "$$name" "$$what"; done

demo: .venv/installed  ## fits the penguins table, then teaches the straight line
	$(BIN)/firstlight fit $(PENGUINS) --target species --out runs/penguins
	$(BIN)/firstlight demo

test: check  ## style, types and all tests
	$(BIN)/python -m pytest -n 2

check: .venv/installed-dev  ## style and types only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell
	$(BIN)/mypy

format: .venv/installed-dev  ## puts the source into its form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/installed-dev  ## measures, and writes BENCHMARKS.md; on a quiet machine; PARTS="texts ..." for some
	$(BIN)/python bench/write.py $(PARTS)

# The stamps: pip runs again only after pyproject.toml or constraints.txt changed.
.venv/installed: pyproject.toml constraints.txt
	@if ! $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		for python in $(PYTHON) python3.11 python3 python3.12 python3.13 python3.14; do \
			$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
			echo "Setting up: a virtual environment in .venv, by $$python"; \
			exec $$python -m venv --clear .venv; \
		done; \
		echo "Python 3.11 or newer with venv was not found (on Debian: apt install python3 python3-venv);" \
			"name yours by make PYTHON=..."; \
		exit 1; \
	fi
	@echo "Setting up: torch and what else a fit needs (once; it takes a minute or more)"
	@$(PIP) -e .
	@touch $@

.venv/installed-dev: .venv/installed
	@echo "Setting up: what the tests need (once; it takes half a minute or more)"
	@$(PIP) -e '.[dev]'
	@touch $@
