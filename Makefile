PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One seed per core, at most the three of the quickstart.
PARALLEL ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); [ "$$n" -lt 3 ] && echo "$$n" || echo 3)
QUICKSTART := runs/quickstart
# A store and a page of its own, made anew each time: what anyone trains here is not published by itself.
PAGE := runs/quickstart-page
SOURCES := genelab tasks tests scripts docs/conf.py

SITE := build/docs

# The tests start a hundred processes, which would each compile the same modules where the shell forbids to keep them.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help announce quickstart test test-fast format type check docs build clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

announce:
	@echo "Sets up $(VENV): some minutes and, the first time, some gigabytes."
	@echo "Then it trains the inverted pendulum on seeds 1, 2, 3, $(PARALLEL) at a time, evaluates each and prints the table."
	@echo "The plan says how long that took on the machine of the published entry. The first training on a machine also"
	@echo "compiles for some minutes. Ctrl-C at any time: the same command goes on where it stopped."
	@echo

quickstart: announce $(VENV)/.installed ## train, evaluate and print the table of the single pendulum on three seeds
	$(BIN)/genelab train GeneLab-Inverted-Pendulum-v1 --seeds 1,2,3 --parallel $(PARALLEL) --log-dir $(QUICKSTART)
	rm -rf $(PAGE)
	mkdir -p $(PAGE)/reference $(PAGE)/docs/guides $(PAGE)/docs/reference
	cp -R reference/upstream $(PAGE)/reference/
	cp docs/guides/engines.md $(PAGE)/docs/guides/
	cp docs/reference/statistics.md $(PAGE)/docs/reference/
	$(BIN)/genelab reference add $(QUICKSTART) --entry quickstart --store $(PAGE)/reference
	$(BIN)/genelab render --store $(PAGE)/reference --docs $(PAGE)/docs
	@cat $(PAGE)/docs/reference-runs.md
	@echo "This page: $(PAGE)/docs/reference-runs.md"
	@echo
	@echo "Activate the environment, then go on:"
	@echo "  source $(BIN)/activate"
	@echo "  genelab video GeneLab-Inverted-Pendulum-v1 $(QUICKSTART)/seed_1/model_final.pt --out pendulum.mp4"
	@echo "  tensorboard --logdir $(QUICKSTART)"
	@echo "  genelab list"

test: check docs ## everything that CI runs
	$(BIN)/pytest -n auto --dist loadgroup --durations=20
	$(MAKE) build

test-fast: $(VENV)/.dev ## the quick tests, without the simulator
	$(BIN)/pytest -n auto -m "not sim and not e2e and not slow"

check: type ## format, lint, layers, types and rendered pages
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/genelab render --check

type: $(VENV)/.dev ## the types
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.dev ## format the code and mend what the linter can
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

docs: $(VENV)/.dev ## the documentation site, a warning is an error
	$(BIN)/sphinx-build -E -q -W --keep-going -b html docs $(SITE)
	@echo "$(SITE)/index.html"

build: $(VENV)/.dev ## the wheel, tried in an empty environment
	rm -rf dist
	$(BIN)/python -m pip wheel -q --no-deps --no-build-isolation -w dist .
	$(BIN)/python scripts/smoke_wheel.py dist/*.whl

clean: ## remove the environment and what was built
	rm -rf $(VENV) dist build

# A stamp, not the interpreter: that is there before pip is.
$(VENV)/.made:
	$(PYTHON) scripts/make_venv.py $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev,docs]'
	touch $@ $(VENV)/.installed
