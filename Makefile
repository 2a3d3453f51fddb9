# Two commands do everything: `make run` and `make test`. Bare `make` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export RAPPORT_ENV ?= demo
# Where bytecode is not kept, every start compiles all of it anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run test lint bench drill drill-email drill-backup demo screenshots

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

$(VENV)/.run: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Rapport needs Python 3.11 or newer.")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what Rapport runs on …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@echo "Installing what the tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: $(VENV)/.run ## Install, migrate, seed a demo and start everything on one port
	@$(BIN)/python manage.py serve --seed-demo

test: $(VENV)/.dev ## Run the whole suite on SQLite and PostgreSQL, browser pages included
	@$(BIN)/python -m tests.run

lint: $(VENV)/.dev ## ruff, mypy, import-linter, migrations, deployment checks, OpenAPI
	@$(BIN)/python -m tests.lint

bench: $(VENV)/.dev ## Measure speed against baselines in the same run
	@$(BIN)/python -m bench

drill: $(VENV)/.dev ## Kill, break and slow things down, and print what survived
	@$(BIN)/python -m bench.drills

drill-email: $(VENV)/.dev ## The drills of sending email alone
	@$(BIN)/python -m bench.drills email

drill-backup: $(VENV)/.dev ## The drill of backup and restore alone
	@$(BIN)/python -m bench.drills backup

demo: $(VENV)/.run ## The main job through HTTP and websockets against a running server
	@$(BIN)/python manage.py demo

screenshots: $(VENV)/.dev
	@$(BIN)/python -m tests.screenshots
