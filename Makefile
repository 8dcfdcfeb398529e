# Every target sets up .venv by itself on a fresh machine (Python 3.11 or newer).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: demo test test-slow bench lint train evaluate clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

demo: $(VENV)/.installed   ## the whole system on this machine, with virtual hardware
	$(BIN)/rosette demo $(ARGS)

test: $(VENV)/.installed   ## the tests
	$(BIN)/python -m pytest $(ARGS)

test-slow: $(VENV)/.installed   ## the long fault tests too
	$(BIN)/python -m pytest -m "slow or not slow" $(ARGS)

bench: $(VENV)/.installed   ## benchmarks: a table, and JSON in bench/results
	$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/.installed   ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) bench/results .pytest_cache .mypy_cache .ruff_cache .hypothesis
