# Two commands matter: `make demo` shows the product, `make test` proves it. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
SETUP := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo docs gpu-pack test slow speed check format lint types lock clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(SETUP) ## install everything into .venv (once)

$(SETUP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "rspnet needs Python 3.11 to 3.13; got $$($(PYTHON) -V). Choose one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## write sample videos, index them, search, print the report
	$(BIN)/rspnet-index sample-data $(DEMO)
	$(BIN)/rspnet-index build $(DEMO)
	$(BIN)/rspnet-index search $$(find $(DEMO) -name '*.mp4' | sort | head -n 1) --index $(DEMO)/.rspnet
	$(BIN)/rspnet-index benchmark --index $(DEMO)/.rspnet --report $(DEMO)/report

docs: setup ## build the manual into site/ (site/index.html opens without a server)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

gpu-pack: setup ## fill pack/ with what a GPU machine without a network trains from: STORES="train.store test.store"
	.ci/gpu-pack $(STORES)

# Tests start many Python processes: compiled once, each of them starts seconds sooner. Three workers keep two cores busy, as
# a third of the time is waiting for browsers and servers. In the order of the files, no worker is left alone with one long
# file at the end. A worker that crashes ends the run: a new one would be given nothing to do, and waited for without end.
test: setup ## run the suite
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder --max-worker-restart 0

slow: setup ## run the tests that the suite leaves out: most of what a browser shows, kills, a Ray cluster
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m slow --timeout 1800

speed: setup ## time builds, searches, publishing and training in small, into speed/*.json
	@mkdir -p speed
	test -d speed/demo || $(BIN)/rspnet-index sample-data speed/demo
	test -d speed/library || $(BIN)/rspnet-index simulate --videos 20000 --index speed/library
	$(BIN)/rspnet-index speed build speed/demo --videos 8 --json > speed/build.json
	$(BIN)/rspnet-index speed search --index speed/library --json > speed/search.json
	$(BIN)/rspnet-index speed recall --index speed/library --queries 20 --json > speed/recall.json
	$(BIN)/rspnet-index speed publish --json > speed/publish.json
	$(BIN)/rspnet-train speed --json > speed/train.json
	@tail -n +1 speed/*.json

check: format lint types test ## everything that has to hold before a commit

format: setup
	$(BIN)/ruff format --check .

lint: setup
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

lock: setup ## pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --all-extras --no-emit-index-url \
		--python-version 3.11 --custom-compile-command "make lock" pyproject.toml -o requirements.lock

clean: ## remove the demo, the built manual and the tools' caches (not .venv)
	rm -rf $(DEMO) site .mypy_cache .pytest_cache .ruff_cache .hypothesis
