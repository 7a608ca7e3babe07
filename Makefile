# Two commands for people: `make demo` and `make test`. Both set up what they need through `make install`.
# `make install` leaves the command at .venv/bin/tingjian; when nothing has changed it takes no time.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install demo test lint format docs lock clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

help:
	@echo "make demo     install, start everything on this machine, play six calls, show the violations as they are spoken"
	@echo "make test     install, lint, type check and all tests, the live ones on a real Kafka included"
	@echo "make install  virtual environment in $(VENV), Kafka, model check; leaves $(BIN)/tingjian"
	@echo "make lint     ruff and mypy only"
	@echo "make lock     resolve requirements.lock anew from pyproject.toml"
	@echo "make clean    remove the virtual environment and all caches of this folder"

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml .ci/install
	@./.ci/install
	@touch $@

demo: install
	@$(BIN)/tingjian demo

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install
	$(BIN)/python -m processors.commands.docs

lock: install
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra train --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --python-version 3.11 --python-platform x86_64-manylinux_2_28 -o requirements.lock --quiet

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
