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

# Training data and the starting model are not in the repository; models/README.md says what they are.
FRAMES  ?= $(ROSETTE_FRAMES)
WORK    ?= /tmp/rosette-train
TRAINING = $(if $(START),,$(error give START=, the int8 ImageNet MobileNetV2 to start from)) \
           $(if $(FRAMES),,$(error give FRAMES=, the folder of labelled pictures)) \
           --start $(START) --frames $(FRAMES) --work $(WORK)

$(VENV)/.training: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[test,train]'
	touch $@

train: $(VENV)/.training   ## a new model: make train START=... FRAMES=... VERSION=x.y.z
	$(if $(VERSION),,$(error give VERSION=, the version of the new model))
	$(BIN)/python -m models.train $(TRAINING) $(ARGS)
	$(BIN)/python -m models.quantise $(TRAINING)
	$(BIN)/python -m models.calibrate --frames $(FRAMES) --work $(WORK) --version $(VERSION)
	$(BIN)/python -m models.evaluate $(TRAINING)

evaluate: $(VENV)/.training   ## measure the model again and rewrite its card
	$(BIN)/python -m models.evaluate $(TRAINING)

clean:
	rm -rf $(VENV) bench/results .pytest_cache .mypy_cache .ruff_cache .hypothesis
