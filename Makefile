# Two commands for everybody: `make demo` and `make test`. Both build .venv first, from requirements.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# kubectl of the person's own PATH goes first; .venv has one for machines without.
RUN := PATH="$(CURDIR)/$(BIN):$(CURDIR)/plugins:$$PATH"
TESTS ?=

.PHONY: demo test check lint types bench lock clean

demo: $(VENV)/ready ## the main job, on the embedded sandbox
	@$(RUN) sh examples/demo.sh

test: $(VENV)/ready ## all tests
	@$(RUN) pytest -n 4 --dist loadgroup $(TESTS)

check: lint types test ## lint, types, tests

lint: $(VENV)/ready
	@$(RUN) ruff check . && $(RUN) ruff format --check .

types: $(VENV)/ready
	@$(RUN) mypy

bench: $(VENV)/ready ## figures, side by side; no test
	@$(RUN) python tests/bench/startup.py

lock: ## resolve requirements.txt anew (needs uv)
	uv pip compile pyproject.toml --extra sandbox --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.txt

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache build *.egg-info

$(VENV)/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than 3.11; name another with PYTHON=python3.x" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "error: $(PYTHON) has no venv module; install it, on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "building $(VENV) (once, about a minute)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
