# make quickstart   install into .venv and run the quickstart suite
# make test         the same set-up with test extras, then pytest
# make lint         ruff and mypy --strict
# make docs         the documentation site, into site/, with warnings as errors
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
PARTS  := attacks benchmarks compressors models results

.PHONY: quickstart test test-all lint docs bench clean

quickstart: $(VENV)/.installed
	$(BIN)/compleak run quickstart

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not slow"

test-all: $(VENV)/.installed-test
	$(BIN)/python -m pytest

bench: $(VENV)/.installed
	$(BIN)/python -m compleak.benchmarks.perf

# mypy wants a valid package name for the folder it stands in, which a clone's name need not be.
lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p .cache/types && ln -sfn "$(CURDIR)" .cache/types/compleak
	cd .cache/types && "$(CURDIR)/$(BIN)/mypy" --config-file compleak/pyproject.toml \
		--cache-dir "$(CURDIR)/.mypy_cache" $(addprefix -p compleak.,$(PARTS))

docs: $(VENV)/.installed-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "Python 3.11 is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/pip setup.cfg pyproject.toml constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/bin/pip setup.cfg pyproject.toml constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt -e ".[test,dev,docs]"
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .cache build site *.egg-info .pytest_cache .mypy_cache .ruff_cache
