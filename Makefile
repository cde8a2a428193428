# Everything a person needs to run and to test Piranha. `make` lists the commands.
# Needed: Python 3.11 or newer with its venv module, and the Python package registry. `make test` installs the
# Debian packages of .ci/apt-packages too.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# The tests start hundreds of Python programs: their modules are compiled once, not each time.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
# The first of these that is new enough; say `make run PYTHON=/path/to/python3` for another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
# More words for the command behind `make run` (`ARGS="--gui-port 3637"`) or for pytest.
ARGS ?=

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
PURE_TESTS := tests/config tests/health tests/ipvs tests/ha tests/test_rooms.py tests/test_tidy.py \
	--ignore tests/config/test_growth.py --ignore tests/config/test_properties.py \
	--ignore tests/ha/test_simulation.py --ignore tests/ha/test_forged.py
FAST := not browser and not package and not debian
LAB_PYTEST := $(BIN)/pytest -p no:cacheprovider --color=no --durations=20

# The other tests end before those of the lab: these are run behind them, in a kernel of their own.
LAB_LATER := tests/lab/test_endurance.py tests/lab/test_hung_pulse.py tests/lab/test_loads.py tests/lab/test_moves.py \
	tests/lab/test_reaction.py tests/lab/test_scenarios_arp.py

.PHONY: help
help: ## list these commands
	@echo "Piranha: make COMMAND"
	@grep -hE '^[a-z][a-z-]*:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		while IFS=$$'\t' read -r name text; do printf '  %-13s %s\n' "$$name" "$$text"; done

.PHONY: run
run: $(VENV)/run.stamp ## set up what is needed and run the demo; Ctrl-C ends it
	@exec $(BIN)/piranha demo $(ARGS)

.PHONY: test
test: ## set up what is needed, Debian packages too, and run everything
	@SECONDS=0; \
	.ci/part "Debian packages" 180 .ci/apt-install; \
	.ci/part "Python packages" 120 $(MAKE) $(VENV)/test.stamp; \
	.ci/part "lint, types, contracts" 60 $(MAKE) lint; \
	.ci/side-by-side \
		"tests in the lab's kernel" 1300 "$(BIN)/python -m tests.lab.boot $(LAB_PYTEST) tests/lab $(LAB_LATER:%=--ignore %)" \
		"all other tests, and the lab's in a second kernel" 1500 \
		"bash -c '$(BIN)/pytest $(ARGS) && $(BIN)/python -m tests.lab.boot --results .lab/later $(LAB_PYTEST) $(LAB_LATER)'"; \
	echo "== make test: all passed; $$SECONDS s of 1800 s"

.PHONY: lab
lab: $(VENV)/test.stamp ## the tests that need a real IPVS kernel, in one that is started for them (root, amd64)
	@.ci/part "Debian packages" 180 .ci/apt-install
	@.ci/part "tests in the lab's kernel" 1500 $(BIN)/python -m tests.lab.boot $(LAB_PYTEST) tests/lab $(ARGS)

.PHONY: check
check: $(VENV)/test.stamp ## lint, types, import contracts and the pure tests; under a minute
	@SECONDS=0; \
	.ci/part "lint, types, contracts" 40 $(MAKE) lint; \
	.ci/part "pure tests" 20 $(BIN)/pytest --quiet $(PURE_TESTS) $(ARGS); \
	echo "== make check: all passed; $$SECONDS s of 60 s"

.PHONY: test-fast
test-fast: $(VENV)/test.stamp ## all tests that need neither root nor Debian's packages
	@SECONDS=0; \
	.ci/part "lint, types, contracts" 60 $(MAKE) lint; \
	.ci/part "tests without browsers" 700 $(BIN)/pytest -m "$(FAST)" $(ARGS); \
	echo "== make test-fast: all passed; $$SECONDS s of 760 s"

.PHONY: lint
lint: $(VENV)/test.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: bench
bench: $(VENV)/test.stamp ## requests per second through the embedded data path beside a direct connection
	@$(BIN)/python -m tests.bench_embedded $(ARGS)

.PHONY: docs
docs: $(VENV)/test.stamp ## write docs/faults.md and docs/man/lvs.cf.5 anew from the tables of the code
	@$(BIN)/python -m tests.write_docs

.PHONY: bench-config
bench-config: $(VENV)/test.stamp ## reading and editing a large lvs.cf beside tomlkit, growth and memory
	@$(BIN)/python -m tests.bench_config $(ARGS)

.PHONY: bench-gui
bench-gui: $(VENV)/test.stamp ## every page of the GUI with 20,000 real servers beside 20, and with 70 users beside one
	@$(BIN)/python -m tests.bench_gui $(ARGS)

.PHONY: bench-kernel
bench-kernel: $(VENV)/test.stamp ## programming and reading the kernel's table beside ipvsadm, in one lab kernel
	@$(BIN)/python -m tests.lab.boot $(BIN)/python -m tests.lab.bench_kernel $(ARGS)

.PHONY: bench-health
bench-health: $(VENV)/test.stamp ## what a check costs, alone with up to 20,000 real servers, and in the lab beside keepalived
	@.ci/part "Debian packages" 180 .ci/apt-install
	@status=0; $(BIN)/python -m tests.bench_health $(ARGS) || status=1; \
	$(BIN)/python -m tests.lab.boot $(BIN)/python -m tests.lab.bench_health || status=1; exit $$status

.PHONY: bench-reaction
bench-reaction: $(VENV)/test.stamp ## how soon the death of a real server is noticed, beside keepalived; ARGS=8 for fewer
	@.ci/part "Debian packages" 180 .ci/apt-install
	@$(BIN)/python -m tests.lab.boot $(BIN)/python -m tests.lab.bench_reaction $(ARGS)

.PHONY: bench-rhythm
bench-rhythm: $(VENV)/test.stamp ## heartbeats and the API while 3,000 checks a second are made; ARGS="20 1000" for less
	@$(BIN)/python -m tests.bench_rhythm $(ARGS)

.PHONY: bench-failover
bench-failover: $(VENV)/test.stamp ## how long nobody serves at a failover, beside keepalived; ARGS="5 power" for less
	@.ci/part "Debian packages" 180 .ci/apt-install
	@$(BIN)/python -m tests.lab.boot $(BIN)/python -m tests.lab.bench_failover $(ARGS)

.PHONY: endure
endure: $(VENV)/test.stamp ## a pair in the lab: 20 killed processes, then ten minutes of busy processors; ARGS=60: seconds
	@.ci/part "Debian packages" 180 .ci/apt-install
	@$(BIN)/python -m tests.lab.boot $(BIN)/python -m tests.lab.endure kills
	@$(BIN)/python -m tests.lab.boot $(BIN)/python -m tests.lab.endure busy $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/test.stamp ## a million coverage-guided inputs for the lvs.cf language; ARGS="-runs=10000" for fewer
	@$(BIN)/python -m tests.fuzz.fuzz_lvs_cf $(ARGS)

.PHONY: simulate
simulate: $(VENV)/test.stamp ## 100,000 lives of two routers on a bad wire; ARGS="1000 7": so many, from this seed on
	@$(BIN)/python -m tests.ha.simulate $(ARGS)

.PHONY: mutate
mutate: $(VENV)/test.stamp ## break each row of failover's table in turn: a test must notice; ARGS=word for some rows
	@$(BIN)/python -m tests.ha.mutate $(ARGS)

.PHONY: screenshot
screenshot: $(VENV)/test.stamp ## take the README's picture of the GUI anew
	@$(BIN)/python -m tests.take_screenshot

.PHONY: lock
lock: | $(BIN)/python ## compute requirements/*.lock anew from pyproject.toml and requirements/*.in
	@$(PIP) install uv
	@$(LOCK) $(ARGS) --output-file requirements/run.lock pyproject.toml requirements/run.in
	@$(LOCK) $(ARGS) --output-file requirements/test.lock pyproject.toml requirements/test.in

.PHONY: clean
clean: ## remove what make made, the demo's folder .demo too
	rm -rf $(VENV) .demo .artefacts dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find piranha tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp says that its lock is installed; both locks agree on every version they share.
$(VENV)/run.stamp: requirements/run.lock pyproject.toml | $(BIN)/python
	@echo "Installing the Python packages of requirements/run.lock into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements/run.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/test.stamp: requirements/test.lock pyproject.toml | $(BIN)/python
	@echo "Installing the Python packages of requirements/test.lock into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements/test.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/run.stamp

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Piranha needs Python 3.11 or newer, and none was found." >&2; \
		echo "Install one, or name it: make run PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@if ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "Piranha needs Python 3.11 or newer; $(PYTHON) is $$("$(PYTHON)" --version 2>&1)." >&2; \
		echo "Name another: make run PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$(PYTHON) has no venv module. On Debian: apt-get install python3-venv" >&2; exit 1; fi
	@"$(PYTHON)" -m venv $(VENV)
