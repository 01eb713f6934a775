# Everything a contributor runs; `make help` lists it. Needs python3 (3.11 to 3.13) and a package index.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
UV_VERSION := $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' hack/uv-requirements.txt)
BOOTSTRAP := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/trainjobs/uv-$(UV_VERSION)
STAMP := .venv/.installed
BIN := .venv/bin
export PYTHON BOOTSTRAP STAMP

# Scripts that fetch a file from a package index use this pip: .venv itself has none.
export TRAINJOBS_PIP := $(BOOTSTRAP)/bin/pip
export TOKENIZERS_PARALLELISM := false

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml uv.lock hack/uv-requirements.txt hack/bootstrap.sh hack/install.sh
	@hack/install.sh

.PHONY: install
install: $(STAMP) ## install what trainjobs needs into .venv, exactly as uv.lock says
	@:

.PHONY: demo
demo: install ## train a reward model on real ratings, then score three new sentences
	@$(BIN)/python examples/reward-model/prepare_review_ratings.py
	@$(BIN)/trainjobs run examples/reward-model/review-ratings.yaml
	@$(BIN)/trainjobs score runs/rewardmodelrun/review-ratings \
		--text "A quiet masterpiece: every scene earns its place." \
		--text "It is a film. It begins, it ends, and little happens between." \
		--text "Two hours of my life that nobody will give back to me."

.PHONY: check
check: lint types imports generated unit ## lint, types, import contracts, generated files, unit, property and golden tests

.PHONY: lint
lint: install
	@$(BIN)/ruff format --check --quiet . || { echo "run make fix to format" >&2; exit 1; }
	@$(BIN)/ruff check .

.PHONY: types
types: install
	@$(BIN)/mypy

.PHONY: imports
imports: install
	@$(BIN)/lint-imports

.PHONY: generated
generated: install
	@hack/check-generated.sh

.PHONY: unit
unit: install
	@hack/run-tests.sh unit golden

.PHONY: test
test: check ## check, then every other level of tests (TRAINJOBS_TEST_LEVELS leaves some out)
	@hack/run-tests.sh crds+charts+storage+agent+browser+controller training cli cluster-beside cluster cluster-alone

.PHONY: cluster
cluster: install ## of these the tests on a real Kubernetes (the first time builds it: 20 minutes)
	@hack/run-tests.sh cluster-beside cluster cluster-alone

.PHONY: acceptance
acceptance: demo ## the demo, and tests that are real, long and rarely break: before a release
	@PYTEST_ARGS="--durations=0 --durations-min=1 $(PYTEST_ARGS)" \
		hack/run-tests.sh --acceptance agent training cli controller cluster-beside cluster cluster-alone

.PHONY: cluster-up
cluster-up: install ## start a real Kubernetes to try things on (the first time builds it: 20 minutes)
	@$(BIN)/python -m tests.cluster.harness up

.PHONY: cluster-down
cluster-down: install ## stop it, and clean up after one that crashed
	@$(BIN)/python -m tests.cluster.harness down

.PHONY: demo-cluster
demo-cluster: install ## the demo in pods of a real Kubernetes, which stays up (the first time builds it: 30 minutes)
	@$(BIN)/python -m tests.cluster.demo

.PHONY: fix
fix: install ## format the code and apply the linter's safe fixes
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

.PHONY: generate
generate: install ## write the generated files again
	@hack/generate.sh .

.PHONY: bench
bench: install ## run the benchmarks: ratios against peers
	@set -e; for benchmark in $(wildcard benchmarks/bench_*.py); do echo "== $$benchmark"; \
		PYTHONPATH=. OMP_WAIT_POLICY=PASSIVE $(BIN)/python "$$benchmark"; done

.PHONY: lock
lock: ## resolve uv.lock again after a change of dependencies, and install it
	@base=$$(hack/bootstrap.sh) && UV_PYTHON_DOWNLOADS=never $(BOOTSTRAP)/bin/uv lock --python "$$base"
	@$(MAKE) --no-print-directory install

.PHONY: check-lock
check-lock:
	@base=$$(hack/bootstrap.sh) && UV_PYTHON_DOWNLOADS=never $(BOOTSTRAP)/bin/uv lock --check --quiet --python "$$base" || \
		{ echo "uv.lock does not belong to pyproject.toml: run make lock" >&2; exit 1; }

.PHONY: pin-uv
pin-uv:
	@hack/bootstrap.sh >/dev/null && UV="$(BOOTSTRAP)/bin/uv" hack/pin-uv.sh "$(VERSION)"

.PHONY: clean
clean: ## remove the environment, caches and build results; runs and their models stay
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
