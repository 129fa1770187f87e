# Each target makes $(VENV) with what it needs by itself; a stamp file keeps re-runs quick.
#   make install   the package and all its extras       make demo    federated training on this machine
#   make demo-network   the same over three worker processes, one of which is killed and comes back
#   make demo-encrypted   digits are read by a network that never sees them
#   make demo-he   digits are sent encrypted to a network in another process
#   make demo-dp   digits are learnt without telling about any one image
#   make test      the tests and doctests               make lint    formatting, lint rules, types
#   make bench     the benchmarks                       make docs    the documentation, in site/
#   make soak      faults, for an hour                  make fuzz    changed bytes, by the million

.POSIX:
.SUFFIXES:

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
PIP_INSTALL = $(PIP) install --quiet --no-warn-conflicts --constraint constraints.txt
PYTEST = $(BIN)/python -m pytest
DEMO_OUT = demo-output
# The four files of MNIST; without them the demo trains on scikit-learn's small digits.
MNIST = ../shared/data/MNIST
SOURCES = src tests benchmarks examples scripts

.PHONY: all install demo demo-network demo-encrypted demo-he demo-dp test test-all test-quick test-slow soak fuzz doctest coverage lint format size bench docs constraints build clean distclean

all: install

# --- environments ------------------------------------------------------------------------------------

install: $(VENV)/.stamp-install

# torch goes first and alone: a bare range, resolved with the rest, may bring gigabytes of CUDA packages.
$(VENV)/.stamp-install: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) torch
	$(PIP_INSTALL) --editable '.[all]'
	@touch $@

# torchvision only reads data sets in a few tests, which are skipped without it. The release that works
# beside our torch asks for an older one, hence --no-deps, and comes after everything else.
$(VENV)/.stamp-dev: $(VENV)/.stamp-install
	$(PIP_INSTALL) --editable '.[all,dev]'
	$(PIP_INSTALL) --no-deps torchvision || echo "torchvision has no build for this Python: its tests will be skipped"
	@touch $@

$(VENV)/.stamp-docs: $(VENV)/.stamp-install
	$(PIP_INSTALL) --editable '.[docs]'
	@touch $@

# --- the main jobs -----------------------------------------------------------------------------------

demo: $(VENV)/.stamp-install
	$(BIN)/syft demo --out $(DEMO_OUT)

demo-network: $(VENV)/.stamp-install
	PYTHONPATH=. $(BIN)/python examples/websocket_mnist/run.py --mnist $(MNIST)

demo-encrypted: $(VENV)/.stamp-install
	PYTHONPATH=. $(BIN)/python examples/encrypted/mnist_inference.py --mnist $(MNIST)

demo-he: $(VENV)/.stamp-install
	PYTHONPATH=. $(BIN)/python examples/encrypted/ckks_inference.py --mnist $(MNIST)

demo-dp: $(VENV)/.stamp-install
	PYTHONPATH=. $(BIN)/python examples/private/mnist_dp.py --mnist $(MNIST)

bench: $(VENV)/.stamp-install
	$(BIN)/python -m benchmarks --json benchmark-results.json

docs: $(VENV)/.stamp-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --site-dir site

# --- checks ------------------------------------------------------------------------------------------

test: test-quick doctest

# The long fuzzing, state machine and training runs, on top of `make test`.
test-all: test test-slow

test-quick: $(VENV)/.stamp-dev
	$(PYTEST) -m "not slow" tests

doctest: $(VENV)/.stamp-dev
	$(PYTEST) --doctest-modules src/syft

# pytest's status 5 means that it found no test, which is fine while nothing is marked slow.
test-slow: $(VENV)/.stamp-dev
	$(PYTEST) -m "slow and not soak" tests || test $$? -eq 5

# Connections cut at every byte, 200 kills, a million ops, 500 MB: each prints its numbers. See tests/faults.
soak: $(VENV)/.stamp-dev
	$(PYTEST) -m soak -s tests/faults --ignore tests/faults/test_frames.py

fuzz: $(VENV)/.stamp-dev
	$(PYTEST) -m soak -s tests/faults/test_frames.py
	$(PYTEST) -m slow tests/serde/test_hostile_bytes.py

coverage: $(VENV)/.stamp-dev
	$(PYTEST) -m "not soak" --cov --cov-report=term --doctest-modules src/syft tests

lint: $(VENV)/.stamp-dev
	$(BIN)/python -m ruff format --check $(SOURCES)
	$(BIN)/python -m ruff check $(SOURCES)
	$(BIN)/python -m mypy
	$(BIN)/python -m tests.architecture.size

format: $(VENV)/.stamp-dev
	$(BIN)/python -m ruff format $(SOURCES)
	$(BIN)/python -m ruff check --fix $(SOURCES)

size: $(VENV)/.stamp-dev
	$(BIN)/python -m tests.architecture.size

# --- upkeep ------------------------------------------------------------------------------------------

constraints: $(VENV)/.stamp-dev $(VENV)/.stamp-docs
	$(BIN)/python scripts/pin.py

build: $(VENV)/.stamp-dev
	$(BIN)/python -m build

clean:
	rm -rf build dist site $(DEMO_OUT) .coverage .coverage.* htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks scripts -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
