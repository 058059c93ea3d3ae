# Two commands do everything on a fresh Debian 12 or Ubuntu with Python 3.11 and make:
#   make demo   opens napari on the sample series     (make demo HEADLESS=1: no screen, saves a picture)
#   make test   lint, types, import contracts, tests
# Both build the environment in .venv first, and again only when its inputs change.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.built
SCREEN := xvfb-run -a -s "-screen 0 1600x1000x24"
SCREENSHOT ?= out/demo.png
PYTEST_ARGS ?=

.DELETE_ON_ERROR:
.PHONY: help env demo test lint types contracts unit docs benchmark constraints

help:
	@echo "make demo [HEADLESS=1] | test | docs | benchmark | env | constraints"

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt Makefile tools/make_env.py src/napari_sem4d/system_libraries.py
	"$(PYTHON)" tools/make_env.py
	@touch $@

demo: $(STAMP)
ifdef HEADLESS
	$(SCREEN) $(BIN)/sem4d demo --headless --screenshot "$(SCREENSHOT)"
else
	$(BIN)/sem4d demo
endif

test: lint types contracts unit

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)
	$(SCREEN) $(BIN)/python -m pytest --no-xvfb $(PYTEST_ARGS)

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

benchmark: $(STAMP)
	$(BIN)/python -m benchmarks

# Pins everything that is installed now; run it after a deliberate upgrade of .venv.
constraints: $(STAMP)
	$(BIN)/python tools/pin.py
