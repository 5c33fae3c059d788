# What one does daily. Uses .venv where `make setup` made one, else the active environment.
BIN := $(if $(wildcard .venv/bin/python),.venv/bin/)
PYTHON ?= python3

.DEFAULT_GOAL := help
.PHONY: help setup test lint format types imports check demo docs bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv with weakseg (editable) and the test tools
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --editable '.[test]'

test: ## run the tests (ARGS='-m slow' for the long ones)
	$(BIN)pytest $(ARGS)

lint: ## ruff: rules and format
	$(BIN)ruff check
	$(BIN)ruff format --check

format: ## let ruff mend what it can
	$(BIN)ruff check --fix
	$(BIN)ruff format

types: ## mypy, strict on src
	$(BIN)mypy

imports: ## import-linter: the layers
	$(BIN)lint-imports

check: lint types imports test ## all that CI checks

demo: ## the whole pipeline on the built-in data, offline, on the CPU
	$(BIN)weakseg demo

docs: ## show the documentation as a site, at http://127.0.0.1:8000
	$(BIN)mkdocs serve

bench: ## time the kernels beside the authors' formulations (needs the extra: pip install '.[bench]')
	@for name in affinity crf pamr paths walk; do echo "== $$name"; $(BIN)python benchmarks/$$name.py || exit 1; done

clean: ## remove caches and builds (not .venv, not runs)
	rm -rf build dist site .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
