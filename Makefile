# Two commands: `make run` and `make test`. Everything else is optional. Needs python3 >= 3.11 with venv, and make;
# without make, bin/papertrade does the same.
PYTHON ?= python3
BIN := .venv/bin
PAPERTRADE := $(PYTHON) bin/papertrade
LOCK := $(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-header pyproject.toml

.PHONY: run demo dev test suite quick lint style types format bench torture docs lock setup setup-dev clean

run:
	@exec $(PAPERTRADE) run

# A server of its own, on accounts with weeks of trading behind them.
demo:
	@exec $(PAPERTRADE) demo

# The server, started again whenever code changes.
dev: setup-dev
	@exec $(PAPERTRADE) dev

# Types are looked at beside the tests: what takes a second has been looked at before.
test: style
	@$(MAKE) --no-print-directory --jobs=2 types suite

# Three on two cores: one waits for servers that it started while the others work.
WORKERS ?= 3
suite: setup-dev
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

# The pure rules alone, without servers. One of them takes under a second: make quick T='tests/orders -k crossed'
T ?= tests
quick: setup-dev
	@PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/pytest -q -p tests.pure -p tests.chance --noconftest -p no:cacheprovider -p no:warnings \
		-o addopts=--import-mode=importlib $(T)

lint: style types

style: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup-dev
	$(BIN)/mypy

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev
	$(BIN)/python -m benchmarks.run $(BENCH)

# The long form of the fault tests: 50 rounds of kill -9, a newcomer from a fresh clone, ten live sessions, more clients, crowds.
torture: setup-dev
	$(BIN)/pytest -m torture

# docs/codes.md, from the code.
docs: setup-dev
	@$(PAPERTRADE) write-codes

# After a change of the dependencies in pyproject.toml: what the server needs, then what developers need besides.
lock: setup-dev
	$(LOCK) -o requirements.lock
	$(LOCK) -o requirements-dev.lock --group dev --constraints requirements.lock
	@$(PAPERTRADE) setup --dev

# The environment alone, with what the server or what developers need.
setup:
	@$(PAPERTRADE) setup

setup-dev:
	@$(PAPERTRADE) setup --dev

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
