# Everything runs in .venv; nothing is installed outside of this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXAMPLE := examples/ecommerce
DATA_DIR := .pgsluice

.PHONY: venv demo test check exactness faults verdicts

venv: $(STAMP)

# Newer pips take constraints for the build backend from PIP_BUILD_CONSTRAINT, older ones from PIP_CONSTRAINT.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_BUILD_CONSTRAINT=constraints.txt PIP_CONSTRAINT=constraints.txt \
	  $(BIN)/python -m pip install -q -e '.[dev]' -c constraints.txt
	touch $@

# Two workers: nearly all of a test's time is spent waiting for the server, and the workers share one
# server per version, so that a second worker halves the time even on two cores and a third gains nothing.
test: venv
	$(BIN)/pytest -n 2

check: venv
	$(BIN)/ruff check src tests $(EXAMPLE)
	$(BIN)/ruff format --check src tests $(EXAMPLE)
	$(BIN)/mypy
	$(BIN)/pytest -n 2

# Each fault in each phase of each mode, at random moments; `make faults CASES=300 SEED=7` for others.
faults: venv
	$(BIN)/python tests/faults/matrix.py $(if $(CASES),--cases $(CASES)) $(if $(SEED),--seed $(SEED))

# Five million values for each version of PostgreSQL, from a new seed; ARGS="--values 100000 --versions 18" for less.
exactness: venv
	PYTHONPATH=tests $(BIN)/python -m exactness $(ARGS)

# --data-dir: the demo stays in the embedded server, whatever DATABASE_URL or PGHOST say.
demo: venv
	$(BIN)/python $(EXAMPLE)/generate.py $(EXAMPLE)/data
	$(BIN)/pgsluice server start --data-dir $(DATA_DIR)
	$(BIN)/pgsluice load $(EXAMPLE)/data --schema $(EXAMPLE)/sql/create_schema.sql --data-dir $(DATA_DIR)
	$(BIN)/pgsluice verify --sql $(EXAMPLE)/sql/verify.sql --data-dir $(DATA_DIR)
	@echo
	@echo "Look inside:      $(BIN)/pgsluice server psql"
	@echo "Ask one question: $(BIN)/pgsluice server psql -- -c 'select count(*) from orders'"
	@$(BIN)/python -c "import shlex; from pgsluice.postgres.embedded import server; \
	  print('Without pgsluice:', shlex.join(server.psql_command('$(DATA_DIR)')))"
	@echo "Stop the server:  $(BIN)/pgsluice server stop"

# The programs that pgsluice is compared with have an environment of their own: see bench/requirements.txt.
# Sizes and competitors are arguments: make bench BENCH="--only ecommerce60,tpch0.1 --runs 3"
BENCH ?=
BENCH_VENV := bench/work/venv
bench: venv $(BENCH_VENV)/.installed
	$(BIN)/python -m bench $(BENCH)

$(BENCH_VENV)/.installed: bench/requirements.txt
	test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(BENCH_VENV)/bin/python -m pip install -q -r bench/requirements.txt
	touch $@

# Random schemas and dirty data against row-by-row INSERT: SEED=1 COUNT=2000 VERSION=18 (or 16).
SEED ?= 1
COUNT ?= 2000
VERSION ?= 18
verdicts: venv
	$(BIN)/python tests/verdicts/verdict_run.py --seed $(SEED) --count $(COUNT) --version $(VERSION)
