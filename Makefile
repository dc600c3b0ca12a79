# `make run` and `make test` do all set-up by themselves. CONFIG chooses the scale:
#   make run                               the synthetic world, minutes on two cores
#   make run CONFIG=config/smollm2.yaml    SmolLM2-135M with packaged text
#   make rehearsal                         the paper's run on tiny made-up models and data
PYTHON ?= python3
CONFIG ?= config/synthetic.yaml
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
TARGET ?= all
VENV := .venv
BIN := $(VENV)/bin
# A scale that needs more packages has a lock of its own: config/smollm2*.yaml -> requirements-smollm2.lock.
SCALE := $(firstword $(subst _, ,$(basename $(notdir $(CONFIG)))))
READY := $(VENV)/.ready $(if $(wildcard requirements-$(SCALE).lock),$(VENV)/.ready-$(SCALE))

.PHONY: setup run rehearsal status efficiency gc test test-all lint clean

setup: $(READY)

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check --quiet --requirement requirements.lock
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --editable .
	touch $@

$(VENV)/.ready-%: requirements-%.lock $(VENV)/.ready
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --requirement $<
	for spec in $$(sed -n 's/^# sdist: *//p' $<); do $(BIN)/pip download --disable-pip-version-check \
		--quiet --no-deps --no-binary "$${spec%%==*}" --dest data "$$spec" || exit 1; done
	touch $@

run: setup
	$(BIN)/snakemake --profile profiles/local --cores $(CORES) --configfile $(CONFIG) -- $(TARGET)

# The paper's run on tiny made-up models and data.
rehearsal: setup
	$(BIN)/python workflow_scripts/make_rehearsal.py --out data/rehearsal
	$(BIN)/snakemake --profile profiles/local --cores $(CORES) --configfile config/rehearsal.yaml -- $(TARGET)

# How far the runs of CONFIG are.
status: setup
	$(BIN)/python workflow_scripts/show_status.py --configfile $(CONFIG)

# What Slurm's accounting, where there is one, says of the jobs behind CONFIG's store.
efficiency: setup
	$(BIN)/python workflow_scripts/show_efficiency.py --configfile $(CONFIG)

# What the store holds that no config of config/ refers to; DELETE=1 deletes it.
gc: setup
	$(BIN)/python workflow_scripts/collect_garbage.py $(if $(filter 1,$(DELETE)),--delete)

test: setup ## all tests but the long ones
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder -m "not long"

test-all: setup ## the long ones: twenty kills, a Slurm of its own, the rehearsal through it
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder -m "long and not alone"
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "long and alone"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy

# The environment and caches; results/ is yours to delete.
clean:
	rm -rf $(VENV) .snakemake .mypy_cache .ruff_cache .pytest_cache build workflow_scripts/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
