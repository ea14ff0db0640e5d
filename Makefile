# Rank for Less. `make` lists the commands. Each is also written as plain commands in README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# On Linux without a GPU, an index of CPU builds saves gigabytes: choose one at https://pytorch.org/get-started/locally/
TORCH_INDEX ?=

# Tests that need no run of the notebooks: two at a time, each on one core, before those that train on all cores.
APART := tests/unit tests/labs $(wildcard tests/web) tests/notebooks/test_survival.py

.PHONY: help setup run test contract jupyter lint hooks lock notebooks clean
help:  ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/'

setup: $(VENV)/installed  ## create .venv and install requirements.txt, once

$(VENV)/installed: requirements.txt requirements.in pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; name one with: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || \
	  { echo "Python's venv module is incomplete; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet --index-url $(TORCH_INDEX) "$$(grep ^torch== requirements.txt | cut -d' ' -f1)")
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt authoring/pyproject.toml
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

# What runs on devices; the converter to ExecuTorch lies under artifacts/ and is made once.
$(VENV)/installed-edge: $(VENV)/installed-dev requirements-edge.txt
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-edge.txt
	touch $@

artifacts/converters/executorch/installed: $(VENV)/installed-edge requirements-executorch.txt
	TORCH_INDEX=$(TORCH_INDEX) $(BIN)/course converter executorch
	touch $@

run: $(VENV)/installed  ## run the notebooks in order and write the report (PROFILE=, DATASET=, SEED=, OUT=)
	$(BIN)/course run $(if $(PROFILE),--profile $(PROFILE)) $(if $(DATASET),--dataset $(DATASET)) \
	  $(if $(SEED),--seed $(SEED)) $(if $(OUT),--out $(OUT))

# The administrator, as in a container, must allow it; more for JupyterLab in LAB_ARGS, such as --no-browser --ip=0.0.0.0
jupyter: $(VENV)/installed  ## open the notebooks in JupyterLab (LAB_ARGS=)
	$(BIN)/jupyter lab notebooks/ $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS)

notebooks: $(VENV)/installed  ## run what changed and keep the outputs in notebooks/
	$(BIN)/course publish

test: lint artifacts/converters/executorch/installed  ## lint, then pass all tests but the slow ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile $(APART)
	$(BIN)/python -m pytest -m "not slow" tests/notebooks $(patsubst %,--ignore=%,$(APART))

contract: $(VENV)/installed-dev  ## show how hard the embedded shop is, and that a run repeats itself (minutes)
	$(BIN)/python -m pytest -m slow -s

lint: $(VENV)/installed-dev  ## check style, notebooks, links and the spelling of our words; seconds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache
	$(BIN)/course lint

hooks: $(VENV)/installed-dev  ## let git run the checks before every commit
	$(BIN)/pre-commit install

UV_LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --annotation-style line \
  --no-emit-index-url --no-emit-find-links --no-header $(if $(UPGRADE),--upgrade)

lock: $(VENV)/installed-dev  ## write the two locks; what is locked stays, unless UPGRADE=1
	grep -v '^-e' requirements.txt > requirements.partial
	sed -i.partial '/^-e/d' requirements-dev.txt && rm requirements-dev.txt.partial
	$(UV_LOCK) requirements.in --output-file requirements.partial > /dev/null
	$(UV_LOCK) --constraints requirements.partial requirements-dev.in requirements-starts.in --output-file requirements-dev.txt > /dev/null
	echo "-e ." | cat requirements.partial - > requirements.txt
	echo "-e ./authoring" >> requirements-dev.txt
	rm requirements.partial

clean:  ## remove what runs and tests made; .venv stays
	rm -rf artifacts .pytest_cache .ruff_cache .hypothesis *.egg-info authoring/*.egg-info
