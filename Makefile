# Every target works on a fresh machine that has Python 3.11 or later with venv: the first one run sets up .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := build/demo
ASSETS := compiler/observe/view/assets

# Prints a command, then runs it.
define show
	@printf '\n$$ %s\n' '$(1)'
	@$(1)
endef

.PHONY: help setup quick check lint page types imports demo test test-all nightly coverage newer tools bench format clean

help:
	@echo 'make quick     lints and formats (Python, JavaScript, CSS), types, the import contracts: half a minute'
	@echo 'make demo      compile histogram, sort and reverse, run them, check them against the interpreter'
	@echo 'make test      the core tests'
	@echo 'make test-all  the core tests and the slow ones'
	@echo 'make nightly   all of them, and the whole library where a part is tested otherwise'
	@echo 'make coverage  which lines and branches the core tests reach: the total, and the ten least covered modules'
	@echo 'make newer     the tests of the language on newer Pythons, where this machine has some'
	@echo 'make tools     install chromium and graphviz where they are missing, for their tests (Debian, as root)'
	@echo 'make bench     the benchmarks'
	@echo 'make format    reformat the code'

setup: $(READY)

# A stamp: nothing is installed again until one of these files changes.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# What a change must pass before anything of it is run. `check` is its older name.
quick: lint page types imports

check: quick

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The page's scripts and its style sheets. The scripts share their names, so what is declared, used and hidden is looked up in all of
# them together, as the page runs them. The formatter cannot break a text, so the longest line is looked for.
page: $(READY)
	$(BIN)/oxfmt --check $(ASSETS)
	$(BIN)/oxlint $(ASSETS)
	@mkdir -p build
	find $(ASSETS) -name '*.js' | sort | xargs cat > build/page.js
	$(BIN)/oxlint --no-ignore build/page.js
	! LC_ALL=C.UTF-8 grep -rnE --include='*.js' --include='*.css' '.{121}' $(ASSETS)

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

demo: export PATH := $(abspath $(BIN)):$(PATH)
demo: $(READY)
	@rm -rf $(DEMO)
	$(call show,rasp compile programs/histogram.rasp -o $(DEMO)/histogram)
	$(call show,rasp run programs/histogram.rasp "cabbage")
	$(call show,rasp run $(DEMO)/histogram "cabbage")
	$(call show,rasp check $(DEMO)/histogram)
	$(call show,rasp compile programs/sort.rasp -o $(DEMO)/sort)
	$(call show,rasp run programs/sort.rasp "headache")
	$(call show,rasp run $(DEMO)/sort "headache")
	$(call show,rasp check $(DEMO)/sort)
	$(call show,rasp compile programs/reverse.rasp -o $(DEMO)/reverse)
	$(call show,rasp run programs/reverse.rasp "defaced")
	$(call show,rasp run $(DEMO)/reverse "defaced")
	$(call show,rasp check $(DEMO)/reverse)
	$(call show,rasp info $(DEMO)/reverse)

# A process for each core; a second thread in each would wait for the others more than it helps.
test test-all nightly coverage: export OMP_NUM_THREADS ?= 1

test: $(READY)
	$(BIN)/pytest --numprocesses=auto -m 'not slow'

test-all: $(READY)
	$(BIN)/pytest --numprocesses=auto -m 'not nightly'

nightly: $(READY)
	$(BIN)/pytest --numprocesses=auto

# Of the core tests, by lines and branches: the ten modules that are covered least, and the total. What is watched takes three times as
# long, so this is a target of its own; a test that is too slow for it fails here and nowhere else, and stops nothing.
coverage: $(READY)
	rm -rf build/coverage
	-$(BIN)/coverage run -m pytest --numprocesses=auto -m 'not slow'
	$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report > build/coverage/report.txt
	@head -12 build/coverage/report.txt
	@grep '^TOTAL' build/coverage/report.txt

newer:
	@.ci/newer

# The explorer is tested in a real browser, drawings with the real graphviz. Without them these tests are skipped, and say so.
tools:
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } && command -v dot \
	|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium graphviz; } \
	|| echo 'install chromium to test the explorer, and graphviz to test drawings'

bench: $(READY)
	$(BIN)/python -m benchmarks

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/oxlint --fix $(ASSETS)
	$(BIN)/oxfmt $(ASSETS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
