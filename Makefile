# Two commands: `make run` and `make test`. Everything else is optional. Needs python3 >= 3.11 with pip and venv, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test lint format bench torture demo lock clean

run: $(READY)
	@exec $(BIN)/python -m papertrade.stack

# The same, on accounts with weeks of trading behind them.
demo: $(READY)
	@exec $(BIN)/python -m papertrade.stack seed_demo

test: $(READY) lint
	$(BIN)/pytest -n 2 --dist loadgroup

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(BIN)/python -m benchmarks.run $(BENCH)

# The long form of the fault tests: 50 rounds of kill -9.
torture: $(READY)
	$(BIN)/pytest -m torture tests/torture

# uv is faster than pip and reaches the same registry; without it pip does the same.
$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "papertrade needs Python 3.11 or newer: make PYTHON=python3.12 run")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what papertrade needs (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv 2>/dev/null \
		&& $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $(READY)

lock: $(READY)
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-header --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
