# technobench: `make run` measures, `make test` checks. Both make the virtual environment they need.
.DEFAULT_GOAL := help
.PHONY: help run recommendation smoke test lint gate peers test-gpu lock clean
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
PEERS_VENV := .venv-peers
GPU_VENV := .venv-gpu
GPU_LOCK ?= locks/gpu-cu12.lock
# Datasets, prepared inputs and models stay inside the checkout, so that `make clean` leaves nothing.
export TECHNOBENCH_HOME ?= $(CURDIR)/.technobench
export PIP_DISABLE_PIP_VERSION_CHECK := 1
BUDGET ?= 30
REPORT ?= report.html
SCORING_STAGES := --stage matrix_build --stage features --stage predict --stage shap
PEERS_BUDGET ?= 100
GATE_BUDGET ?= 60s

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml locks/cpu.lock
	rm -rf $(VENV)
	"$$(tools/find-python)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r locks/cpu.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

run: $(VENV)/installed ## measure the five stages on the seed dataset and on real data (some 8 to 9 minutes on 2 cores), and report
	$(BIN)/technobench run --dataset whotracksme --dataset seed $(SCORING_STAGES) --stage pipeline \
		--budget $(BUDGET) --report $(REPORT)

smoke: $(VENV)/installed ## measure a small model on the small real dataset (under a minute)
	$(BIN)/technobench run --dataset whotracksme $(SCORING_STAGES) --stage pipeline --trees 50 --budget 2

$(VENV)/nvrtc: $(VENV)/installed locks/nvrtc.lock
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r locks/nvrtc.lock
	touch $@

test: lint $(VENV)/nvrtc ## lint and every test, on all cores
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist worksteal

lint: $(VENV)/installed ## ruff and pyright
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python

# One case, which is decided in half a minute, with both revisions compiled anew; more would take a budget of minutes.
# Both are measured with this one environment, so that nothing is installed. Fails on a regression and on what is
# invalid; is only told where it cannot be decided within the budget, and where the clone has no base.
gate: $(VENV)/installed ## judge HEAD's native matrix against its merge base with main, or HEAD~1 on main (under a minute)
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/gate-ci "$(BASE)" --this-environment --budget $(GATE_BUDGET) \
		--stage matrix_build --variant native

$(PEERS_VENV)/installed: pyproject.toml locks/peers.lock
	rm -rf $(PEERS_VENV)
	"$$(tools/find-python)" -m venv $(PEERS_VENV)
	$(PEERS_VENV)/bin/python -m pip install --quiet --require-hashes -r locks/peers.lock
	$(PEERS_VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

recommendation: $(VENV)/installed ## measure als, recommend and ratings (some 15 minutes on 2 cores)
	$(BIN)/technobench run --dataset whotracksme --dataset planted-ratings --stage als --stage recommend --stage ratings \
		--param recommender=als --param recommender=content --param recommender=popularity \
		--param model=svd --param model=svdpp --param model=nmf --param model=slope-one --param model=knn-basic \
		--budget $(BUDGET)

peers: $(PEERS_VENV)/installed ## the native variants against other people's libraries
	$(PEERS_VENV)/bin/technobench run --dataset seed $(SCORING_STAGES) \
		-k "not naive" --budget $(PEERS_BUDGET)

$(GPU_VENV)/installed: pyproject.toml $(GPU_LOCK)
	rm -rf $(GPU_VENV)
	"$$(tools/find-python)" -m venv $(GPU_VENV)
	$(GPU_VENV)/bin/python -m pip install --quiet --require-hashes -r $(GPU_LOCK)
	$(GPU_VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# implicit's CUDA build is of CUDA 13: with the lock of CUDA 12 its variants are left out, by name.
GPU_CASES = $(if $(findstring cu12,$(GPU_LOCK)),-k "not implicit-cuda")

test-gpu: $(GPU_VENV)/installed ## every GPU variant on a CUDA device; fails, not skips, where there is none
	TECHNOBENCH_REQUIRE=cuda $(GPU_VENV)/bin/python -m pytest -m cuda $(GPU_CASES)
	$(GPU_VENV)/bin/technobench run --require cuda --dataset whotracksme --dataset seed $(GPU_CASES) --budget $(BUDGET)

lock: $(VENV)/installed ## resolve the locks anew (needs uv)
	tools/lock

clean: ## remove environments, datasets, models and caches; results stay
	rm -rf $(VENV) $(PEERS_VENV) $(GPU_VENV) .technobench build .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
