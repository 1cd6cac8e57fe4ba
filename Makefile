# Targets for people. Everything happens in .venv, which the first target to need it makes from pinned requirements.

PYTHON ?= python3
BIN := .venv/bin
# The rules call `python`, which must be the environment's.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

.PHONY: install
install: .venv/run.stamp  ## make .venv and install what the workflow needs

.PHONY: run
run: .venv/run.stamp  ## run the workflow on config.yaml with all cores (default: synthetic data, no network)
	snakemake --cores all

.PHONY: config
config: .venv/run.stamp  ## write config.yaml, docs/configuration.md and its JSON schema anew, after a change of settings
	python -m neds.config.reference

.PHONY: envs
envs: .venv/run.stamp  ## write the conda files of envs/ anew, after a change of its requirement files
	python envs/flat.py

.PHONY: docs
docs: .venv/test.stamp  ## build the documentation into site/ (open site/index.html)
	NO_MKDOCS_2_WARNING=1 mkdocs build

.PHONY: test
test: .venv/test.stamp  ## run all tests and checks
	ruff check .
	ruff format --check .
	mypy neds workflow_scripts snakemake_logger_plugin_neds benchmarks envs/flat.py
	snakefmt --check Snakefile rules
	snakemake --lint
	$(MAKE) --no-print-directory docs
	OMP_NUM_THREADS=1 pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: bench
bench: .venv/test.stamp  ## measure on this CPU, which should be idle, and write docs/performance.md (a quarter of an hour)
	python -m benchmarks.performance

# torch comes first and exactly: a newer one that another package asked for would replace it.
.venv/run.stamp: envs/neds.txt envs/ibl.txt envs/workflow.txt envs/scorer.txt envs/constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 to 3.13 is needed, this is " + sys.version) if not (3, 11) <= sys.version_info < (3, 14) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement envs/torch.txt
	$(BIN)/python -m pip install --quiet --requirement envs/neds.txt --requirement envs/ibl.txt --requirement envs/workflow.txt
	$(BIN)/python -m pip install --quiet --no-deps --requirement envs/scorer.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

.venv/test.stamp: .venv/run.stamp envs/test.txt envs/poyo.txt envs/docs.txt
	$(BIN)/python -m pip install --quiet --requirement envs/test.txt --requirement envs/docs.txt
	touch $@
