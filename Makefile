# `make demo` and `make test` do all the set-up on a Debian 12 machine with Python 3.11, make and gcc.
PYTHON ?= python3
# A Python that is named has an environment of its own, .venv-3.12: the one of every day stays as it is.
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'))
BIN := $(VENV)/bin
# Those that have a lock.
PYTHONS := $(patsubst requirements/py3%.txt,python3.%,$(sort $(wildcard requirements/py3*.txt)))
# Emulators and cross compilers; without them the demo runs on the board `native`. `qcskit doctor` explains each.
PACKAGES := gcc g++ python3-venv qemu-system-arm qemu-system-misc gcc-arm-none-eabi gcc-riscv64-unknown-elf \
            gcc-avr avr-libc arduino-core-avr simavr libsimavr-dev libsimavrparts1 libelf-dev cppcheck clang libclang-rt-dev cmake \
            arduino-builder avrdude stm32flash
APT := apt-get install -y --no-install-recommends $(PACKAGES)

.PHONY: demo test test-all test-pythons lint tools format docs site lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       train, export, simulate, measure on an emulated board, report"
	@echo "make test       lint and all tests but the slow ones, which take over 20 s each"
	@echo "make test-all   lint and all tests"
	@echo "make test-pythons   make test with each that is here of: $(PYTHONS)"
	@echo "make docs       docs/api.md from the docstrings, the pictures and the outputs of docs/notebooks"
	@echo "make site       the documentation as a site, in build/site"
	@echo "make lock       requirements/pyXYZ.txt of this PYTHON, from the ranges of pyproject.toml"
	@echo "make tools      install emulators and cross compilers (Debian; root or password-less sudo)"

demo: tools $(VENV)/.installed
	$(BIN)/qcskit demo --out runs/demo

TEST := $(BIN)/python -m pytest -q -n 2 --dist loadfile --durations=20

test: tools $(VENV)/.installed lint
	$(TEST) -m 'not slow'

test-all: tools $(VENV)/.installed lint
	$(TEST)

test-pythons:
	@failed=; for python in $(PYTHONS); do \
	  if ! $$python -c '' 2>/dev/null; then echo "$$python is not here: not tested"; continue; fi; \
	  echo "$$python:"; $(MAKE) --no-print-directory test PYTHON=$$python || failed="$$failed $$python"; \
	done; if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	git ls-files '*.c' '*.h' ':!tests/data' | xargs $(BIN)/clang-format --dry-run --Werror

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	git ls-files '*.c' '*.h' ':!tests/data' | xargs $(BIN)/clang-format -i

docs: $(VENV)/.installed
	$(BIN)/python docs/make_api.py
	$(BIN)/python docs/make_figures.py
	$(BIN)/python docs/make_notebooks.py

site: $(VENV)/.installed
	$(BIN)/mkdocs build --strict
	@echo "build/site/index.html"

# Debian's own python3 needs the package python3-venv; another Python brings venv along.
# Asks no network if it holds what the lock and pyproject.toml say.
$(VENV)/.installed: pyproject.toml $(wildcard requirements/*)
	$(PYTHON) requirements/install.py $(VENV)

# Once per Python: make lock PYTHON=python3.12
lock:
	$(PYTHON) requirements/lock.py

tools:
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then echo "tools: no apt-get here; going on with what is installed"; exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then as=; elif sudo -n true 2>/dev/null; then as='sudo -n'; else \
	  echo "tools: not root. For all emulated boards run once:"; echo "  sudo $(APT)"; exit 0; fi; \
	echo "tools: installing $$missing"; \
	{ $$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive $(APT) -qq >/dev/null; } \
	  || echo "tools: installation failed; going on with what is there. By hand: $(APT)"

clean:
	rm -rf .venv .venv-3.* runs build dist
