# Each target sets up what it needs on a machine that has Python (3.11 or later) and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test slow optimised docs lint lock clean

demo: $(VENV)/.core  ## install, run `jaxrd limits` on the embedded example
	$(BIN)/jaxrd limits --out limits
	@echo "the figure lies at $(CURDIR)/limits/limits.png"

test: $(VENV)/.dev  ## install, run the test suite but its slow tests
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest -n $${JAXRD_WORKERS:-2} -m "not slow" $(ARGS)

slow: $(VENV)/.dev  ## whole figures, notebooks, real data, trainings
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest -n $${JAXRD_WORKERS:-2} -m slow $(ARGS)

# The other tests compile with few optimisations, in a third of the time.
optimised: $(VENV)/.dev  ## the solvers compiled as a user's programs are
	JAX_PLATFORMS=cpu XLA_FLAGS= $(BIN)/python -m pytest -n $${JAXRD_WORKERS:-2} -m "not slow" tests/solvers $(ARGS)

docs: $(VENV)/.docs  ## the site, in docs/_build; every warning is an error
	JAX_PLATFORMS=cpu $(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html $(ARGS)

lint: $(VENV)/.dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python .ci/typed

lock: $(VENV)/.dev  ## the versions that CI installs, from those installed here
	echo "# The versions that CI installs and the suite was run with, on Python 3.11; written by make lock." > .ci/constraints.txt
	$(BIN)/python -m pip freeze --exclude-editable >> .ci/constraints.txt

clean:
	rm -rf $(VENV) .cache limits sweep docs/_build docs/_generated docs/api docs/auto_gallery docs/notebooks

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jaxrd needs Python 3.11 or later; make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.core: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@ $(VENV)/.core

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[docs]'
	@touch $@
