# `make run` and `make test` are all a newcomer needs; every step also stands alone.
#   PYTHON=python3.12    which Python, 3.11 or newer; by default one that all pinned packages have wheels for
#   TORCH=cpu            torch's build from PyTorch's own index; where uv is missing, TORCH_INDEX=<its address> as well
SHELL := /bin/bash

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
SUITE ?= retrieval
SIZE ?= quick
SEEDS ?= 0
WORLDS ?= worlds
LIBRARY ?= libraries/world
MODEL ?= stan-tiny
WORKERS ?= 2
export MPLCONFIGDIR ?= $(CURDIR)/.cache/matplotlib

RECENT := import sys; sys.exit(sys.version_info < (3, 11))
PINNED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c '$(PINNED)' >/dev/null 2>&1 && { echo $$p; break; }; done)
UV ?= $(shell uv --version >/dev/null 2>&1 && echo uv)
# RESOLUTION, for uv, replaces the versions that were tested together.
PACKAGES := $(if $(RESOLUTION),--resolution $(RESOLUTION),-c constraints.txt) -e '.[all]'

.PHONY: run install ablation library serve lab dashboard demo lint types test test-fast fast docs \
	check-package check-newest check-oldest check-extras check-kills check-mutations check-real check-truth pictures
.DEFAULT_GOAL := run

run: install
	@$(BIN)/stan run --suite $(SUITE) --size $(SIZE) --seeds $(SEEDS) --library $(LIBRARY) --worlds $(WORLDS)

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(or $(PYTHON),false) -c '$(RECENT)' || { echo "stan needs Python 3.11 or newer (its pinned packages: up to 3.14), \
	and $(if $(PYTHON),$(PYTHON) is not that,none on the PATH is that): name one with make PYTHON=/path/to/python3.12" >&2; exit 2; }
ifneq ($(UV),)
	test -x $(BIN)/python || uv venv --seed --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
# uv reads none of pip's settings, so it is told the folders of wheels that pip would look into.
	links="$${PIP_FIND_LINKS:-$$($(PYTHON) -m pip config get global.find-links 2>/dev/null)}"; \
	[ -z "$$links" ] || export UV_FIND_LINKS="$${UV_FIND_LINKS:-$$(echo $$links | tr ' ' ',')}"; \
	uv pip install --python $(BIN)/python $(if $(TORCH),--torch-backend $(TORCH)) $(PACKAGES)
else
	@[ -z "$(TORCH)" ] || [ -n "$(TORCH_INDEX)" ] || { echo "pip does not know PyTorch's own index: install uv, \
	or add TORCH_INDEX=<address of its $(TORCH) wheels>" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(PACKAGES)
endif
	@touch $@

ablation: install
	$(BIN)/stan ablate components --suite $(SUITE) --size $(SIZE) --seeds $(SEEDS)

library: install
	world=$$($(BIN)/stan world retrieval --size $(SIZE) --out $(WORLDS)) && \
	$(BIN)/stan index "$$world/videos/test" --library $(LIBRARY) --model $(MODEL)

serve: install
	@$(BIN)/stan serve --library $(LIBRARY)

lab: install
	@$(BIN)/jupyter lab notebooks

dashboard: install
	@$(BIN)/stan dashboard

demo: install
	@$(BIN)/stan demo --library $(LIBRARY)

lint: types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/ty check --python $(VENV)

# Tests run side by side, so each keeps to one thread. They start some hundred programs, which share compiled modules.
TESTS := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test: lint
	$(TESTS) $(PYTEST)

# The inner loop: without tests that take more than a few seconds, start programs or click through pages.
test-fast: lint fast

fast: install
	$(TESTS) -m "not slow and not browser" $(PYTEST)

# The site, in docs/_build/html; a warning is an error.
docs: $(VENV)/docs
	$(BIN)/python -m sphinx -q -W --keep-going docs docs/_build/html

$(VENV)/docs: $(STAMP)
	$(BIN)/python -m pip install -c constraints.txt -e '.[docs]'
	@touch $@

# Wheel and sdist, built and used apart from the clone.
check-package: install
	$(BIN)/python tests/package/check_package.py

# The fast tests with the newest packages, as pip takes them, or with the oldest that pyproject.toml allows.
check-newest check-oldest: check-%:
	@[ -n "$(UV)" ] || { echo "uv finds the newest and the oldest packages: install it first" >&2; exit 2; }
	$(MAKE) fast check-truth VENV=.venv-$* RESOLUTION=$(if $(filter oldest,$*),lowest-direct,highest)

# The tests that are skipped where Ray, FAISS or a tracker's client is missing; installs them.
check-extras: install
	$(BIN)/python -m pip install -c constraints.txt -e '.[faiss,cluster,tensorboard,wandb,mlflow,trackio]'
	$(BIN)/python -m pytest tests/training/sweep/test_ray.py tests/library/test_ray_engine.py \
	tests/library/test_interchange.py tests/tracking tests/bench/test_bench.py tests/stress/test_kills.py $(PYTEST)

# A sweep's processes killed at random moments; ENGINE=ray kills its workers, too, SEED=N repeats the moments.
check-kills: install
	folder=$$(mktemp -d) && OMP_NUM_THREADS=1 $(BIN)/python -m tests.stress.killed_sweep "$$folder" \
	--kills $(or $(KILLS),50) $(if $(SEED),--seed $(SEED)) $(if $(ENGINE),--engine $(ENGINE)) && rm -r "$$folder"

# Damaged films of every kind, N of them; SEED=N damages them otherwise.
check-mutations: install
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.stress.mutated_clips --n $(or $(N),20000) $(if $(SEED),--seed $(SEED))

check-real: install
	@test -n "$(CLIPS)$(ANNOTATIONS)" || { echo "make check-real [CLIPS=FOLDER] [ANNOTATIONS=FOLDER]" >&2; exit 2; }
	$(BIN)/python tests/real/check_real.py $(if $(CLIPS),--clips "$(CLIPS)") $(if $(ANNOTATIONS),--annotations "$(ANNOTATIONS)")

# Films of every kind, written, read, and compared with what a player shows; KIND=word for some.
check-truth: install
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.data.video.truth_table $(KIND)

# The README's pictures, from the library and the runs that are there.
pictures: install
	$(BIN)/python tests/browser/pictures.py
