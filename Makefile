# The commands of this repository; `make` alone lists them.
#
#   TORCH=cuda   takes the CUDA build of torch on a machine without a GPU (a cluster's login node), TORCH=cpu the
#                other way round; by default the machine decides
#   OF=...       the run whose costs are told
#   WORKERS=...  how many tests run at once

TORCH ?= auto
OF ?= shapes
WORKERS ?= 2

# Everything runs in the virtual environment, the commands of the rules too.
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH"
INSTALLED := .venv/.installed-$(TORCH)
DEVELOPS := .venv/.installed-dev
CRF := wsss/crf/lib/crf-plain.so

.PHONY: help install develop slurm-profile demo figures costs test test-slow faults test-slurm lint format lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

install: $(INSTALLED) ## everything that running needs, into .venv

develop: $(DEVELOPS) ## what tests and linters need as well

slurm-profile: $(INSTALLED) ## slurm/, for `snakemake --profile slurm`: say there what your cluster is like; rm -r slurm undoes it
	@if [ -e slurm ]; then echo "slurm/ is there already, and stays as it is"; else cp -r profiles/slurm slurm; fi
	@echo "your cluster's partitions and account go into slurm/config.yaml; then type, for example:"
	@echo "  snakemake --profile slurm results/voc12/val_miou.txt"

demo: $(INSTALLED) $(CRF) ## the shapes data set from nothing to a segmentation network, and pictures of every stage
	$(RUN) snakemake --cores all
	@echo "mIoU on val: $$(head -n 1 results/shapes/val_miou.txt) % (classes: results/shapes/val_miou.txt)"
	@echo "All of it on one page: results/shapes/report.html"
	@echo "Every stage: results/shapes/metrics/chain.csv" && cut -d , -f 1-3 results/shapes/metrics/chain.csv
	@echo "Pictures to look at:" && ls -1 results/shapes/figures/*.png

figures: $(INSTALLED) ## the picture of README, from a finished demo
	$(RUN) python tools/draw_docs.py

costs: $(INSTALLED) ## time and memory of each rule of a run that was made
	@$(RUN) python -m workflow.scripts.tabulate_benchmarks --run $(OF)

test: $(DEVELOPS) $(CRF) ## the quick tests
	$(RUN) pytest -n $(WORKERS) --dist loadfile

test-slow: $(DEVELOPS) $(CRF) ## the tests that take minutes
	$(RUN) pytest -m slow

faults: $(DEVELOPS) $(CRF) ## the tests of faults, kill -9 too, and what they saw as a table: faults.md; a quarter of an hour
	$(RUN) pytest -n $(WORKERS) --dist loadfile -m 'not slurm' --faults faults.md

test-slurm: $(DEVELOPS) $(CRF) ## the workflow on a real Slurm, started for the tests where it is installed
	$(RUN) pytest -m slurm -n 0 -rs

lint: $(DEVELOPS) ## style, types and the workflow
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) snakefmt --check Snakefile rules
	$(RUN) snakemake --lint

format: $(DEVELOPS) ## rewrite the files as `make lint` wants them
	$(RUN) ruff check --fix .
	$(RUN) ruff format .
	$(RUN) snakefmt Snakefile rules

lock: $(DEVELOPS) ## pin what is installed now, after a dependency was changed in pyproject.toml and installed
	$(RUN) python tools/lock.py

clean: ## caches and build droppings; results/ and .venv stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache build wsss.egg-info
	find wsss workflow tests tools -name __pycache__ -type d -exec rm -rf {} +

$(INSTALLED): requirements.lock pyproject.toml setup.py tools/install.sh
	tools/install.sh $(TORCH)
	@touch $@

# Installing compiles it; this does it again after its sources have changed.
$(CRF): $(wildcard wsss/crf/cpp/*) wsss/crf/build.py | $(INSTALLED)
	$(RUN) python wsss/crf/build.py
	@touch $@

$(DEVELOPS): requirements-dev.lock | $(INSTALLED)
	$(RUN) python -m pip install --no-deps -r requirements-dev.lock
	@touch $@
