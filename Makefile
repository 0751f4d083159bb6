# `make train` and `make test` do all set-up by themselves; a second call installs nothing.
# PYTHON=python3.12 make env   chooses the interpreter (3.11 or newer).

VENV ?= .venv
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# The interpreter: PYTHON if given, else the one .venv was made with, else the first that is new enough.
NEW_ENOUGH = import sys; sys.exit(sys.version_info < (3, 11))
VERSION = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
MADE := $(wildcard $(VENV)/made-by-*)
ifdef PYTHON
STAMP := $(VENV)/made-by-$(VERSION)
else
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c "$(NEW_ENOUGH)" 2>/dev/null && command -v $$p && break; done)
STAMP := $(or $(firstword $(MADE)),$(VENV)/made-by-$(VERSION))
endif
IN = $(VENV)/bin

.PHONY: train test test-all lint format parity env clean help

help:
	@echo "make train    train the x2 network of configs/x2.py and evaluate it"
	@echo "make test     run the quick tests"
	@echo "make test-all run all tests"
	@echo "make lint     format check, lint, types, shell scripts"
	@echo "make format   format the code, and mend what the linter can mend"
	@echo "make parity   compare with PyTorch, live (installs it)"
	@echo "make env      only set up; PYTHON=python3.12 make env chooses the interpreter"

train: $(VENV)/installed
	$(IN)/python -m sr_jax.train --config configs/x2.py

test: $(VENV)/installed-test
	$(IN)/python -m pytest -q -m "not torch and not slow" -n auto --maxprocesses 4

# Tests compile without optimisation, but here those that compare bytes run as users' programs are compiled.
test-all: $(VENV)/installed-test
	$(IN)/python -m pytest -q -m "not torch and not exact" -n auto --maxprocesses 4
	SR_JAX_TEST_FULLY_OPTIMISED=1 $(IN)/python -m pytest -q -m "exact and not torch" -n auto --maxprocesses 4

format: $(VENV)/installed-lint
	$(IN)/ruff format .
	$(IN)/ruff check --fix .

lint: $(VENV)/installed-lint
	$(IN)/ruff format --check .
	$(IN)/ruff check .
	$(IN)/pyright --pythonpath $(IN)/python
	$(IN)/shellcheck launch/*.sh launch/slurm.sbatch tests/launch/bin/*

parity: $(VENV)/installed-torch
	SR_JAX_TEST_FULLY_OPTIMISED=1 $(IN)/python -m pytest -q -m torch -n auto --maxprocesses 4

env: $(VENV)/installed

$(VENV)/installed: pyproject.toml $(STAMP)
	$(IN)/pip install -q -e .
	@touch $@

$(VENV)/installed-%: pyproject.toml $(VENV)/installed
	$(IN)/pip install -q -e ".[$*]" $(PIN_$*)
	@touch $@

# The CPU build of PyTorch for Python 3.11 is found under this version.
PIN_torch = torch==2.13.0

$(STAMP):
	@$(PYTHON) -c "$(NEW_ENOUGH)" 2>/dev/null || { \
		echo "sr_jax needs Python 3.11 or newer: PYTHON=/path/to/python make env"; exit 1; }
	@if [ -e $(VENV) ] && ! ls $(VENV)/made-by-* >/dev/null 2>&1; then \
		echo "$(VENV) was not made by this Makefile; move it away, or name another: VENV=.venv-make make env"; exit 1; fi
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	@touch $@

clean:
	rm -rf $(VENV)
