# Two commands for everybody: `make demo` and `make test`. Both build .venv first, from requirements.txt.
PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
# The plugins of this checkout, then the person's own kubectl; .venv has one for machines without.
export PATH := $(CURDIR)/plugins:$(PATH):$(CURDIR)/$(BIN)
endif
INSTALLED := $(VENV)/installed/$(notdir $(BIN))
TESTS ?=

.PHONY: demo test wheel aws-cli check lint types bench soak lock dist dist-test release notes test-matrix documents clean

demo: $(VENV)/ready ## the main job, on the embedded sandbox
	@sh examples/demo.sh

test: $(VENV)/ready aws-cli wheel ## all tests; whatever runs a program runs that of the wheel, installed
	@PROGRAMS_UNDER_TEST="$(CURDIR)/$(INSTALLED)" $(BIN)/pytest -n 4 --dist loadgroup $(TESTS)

# An environment with the wheel of this checkout and what it asks for. It is done anew where something has changed.
wheel: $(VENV)/ready
	@$(BIN)/python -m release.wheel $(VENV)/installed

# What our token of EKS is compared with: an environment of its own, for it pins packages that we have newer.
aws-cli: $(VENV)/ready
	@$(MAKE) --silent $(VENV)/aws-cli/ready || echo "aws-cli could not be installed: what compares with it is skipped" >&2

check: lint types test ## lint, types, tests

lint: $(VENV)/ready
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/ready
	@$(BIN)/mypy

bench: $(VENV)/ready ## figures, side by side; no test
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/bench/startup.py
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/bench/logs.py
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/bench/many.py
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.bench.status
	@$(BIN)/python tests/bench/reconcile.py

soak: $(VENV)/ready ## hundreds of seeds of the log engine, and a simulated day
	@$(BIN)/python -m tests.soak

lock: ## resolve requirements.txt anew (needs uv)
	uv pip compile pyproject.toml --extra sandbox --extra operator --group dev --group dist --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.txt
	echo 'awscli>=1.46' | uv pip compile - --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file tests/aws-cli.txt

dist: $(VENV)/ready ## dist/: the archive of this platform, whose programs need no Python
	@$(BIN)/python -m release.archive dist

# ARCHIVE is one that is built already, such as dist/kubectl-sagemaker-v0.1.0-linux-amd64.tar.gz.
dist-test: $(VENV)/ready ## the tests of an archive, and all of plugins and terminal on its programs; that a second build is the same
	@rm -rf build && mkdir build
	@archive="$(abspath $(ARCHIVE))"; archive="$${archive:-$(CURDIR)/$$($(BIN)/python -m release.archive build)}" && \
	  { [ -f "$$archive" ] || { echo "error: ARCHIVE is $$archive, which is no file" >&2; exit 1; }; } && \
	  $(BIN)/python -c 'import shutil, sys; shutil.unpack_archive(*sys.argv[1:])' "$$archive" build/programs && \
	  ARCHIVE_UNDER_TEST="$$archive" REPRODUCIBLE=1 $(BIN)/pytest -n 4 --dist loadgroup \
	  $(addprefix tests/release/,test_archive.py test_glibc.py test_krew.py)
ifneq ($(OS),Windows_NT)
	@PROGRAMS_UNDER_TEST="$(CURDIR)/build/programs" $(BIN)/pytest -n 4 --dist loadgroup tests/e2e
endif

release: $(VENV)/ready ## krew's manifests: VERSION=v1.2.3 ARCHIVES=folder URL=address that the archives will stand under
	@$(BIN)/python -m release.manifests "$(VERSION)" "$(ARCHIVES)" "$(URL)"

notes: $(VENV)/ready ## what CHANGELOG.md says of VERSION
	@$(BIN)/python -m release.notes "$(VERSION)"

test-matrix: $(VENV)/ready ## the wheel on each Python from 3.11 on, with the lowest and the newest dependencies; needs an index
	@$(BIN)/python -m release.matrix $(TESTS)

documents: $(VENV)/ready ## the docs' tables of flags, kinds and rights, and the picture, from the program
	@$(BIN)/python -m release.documents

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info

# Every wheel, by its checksum, is fetched once: what is installed afterwards, also by a test, asks no index.
$(VENV)/wheels/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "error: $(PYTHON) is missing or older than 3.11; name another with PYTHON=python3.x" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "error: $(PYTHON) has no venv module; install it, on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "building $(VENV) (once, about a minute)" >&2
	@$(PYTHON) -m venv $(VENV)
	@rm -rf $(VENV)/wheels
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt --wheel-dir $(VENV)/wheels
	@touch $@

$(VENV)/ready: $(VENV)/wheels/ready pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps $(VENV)/wheels/*.whl
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation \
	  --config-settings editable_mode=compat --editable .
	@touch $@

$(VENV)/aws-cli/ready: tests/aws-cli.txt
	@echo "installing aws-cli for the tests (once, some seconds)" >&2
	@$(PYTHON) -m venv $(VENV)/aws-cli
	@$(VENV)/aws-cli/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@
