# From Bits to Backprop. `make` does everything, `make test` checks everything, `make help` lists the targets.
#
# A step that succeeds leaves a stamp in _build/stamps (for the environment, in .venv). An interrupted or failed step
# leaves none and starts over, without repeating earlier steps. Nothing is written outside this directory, except missing
# system packages such as Python's ensurepip or the browser for the tests (see environment.sh).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# Two steps at once if there are two processors: the website and the sample class take about equally long, and neither
# waits for the other. `make -j1` runs one step at a time. More than two jobs would have nothing to do.
ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(if $(filter-out 1,$(shell nproc 2>/dev/null || echo 1)),2,1)
endif
# Goals that remove or rewrite what other goals read run on their own, in the order given.
ifneq ($(filter clean requirements,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

PORT ?= 8000
PYTEST_FLAGS ?= -n 2 --dist loadfile --no-loadscope-reorder --durations 40
UV_FLAGS ?=
# Where `make handout` writes, and the address at which the site will be published.
HANDOUT ?= _build/handout
SITE_URL ?=
# A folder with Pyodide to include in the site; without it, a browser fetches Pyodide from its CDN.
PYODIDE ?=

STAMPS := _build/stamps
LOGS := _build/logs
CLASS := _build/class
BIN := .venv/bin
AUTOGRADER := $(BIN)/autograder
CACHE := $(CURDIR)/_build/cache
DIRECTORIES := $(STAMPS) $(LOGS) _build/cache

# Every user gets the same result: UTF-8 whatever the locale, and no settings, kernels or caches from home directories.
unexport PYTHONPATH PYTHONHOME
export PYTHON SITE_URL
export LC_ALL := C.UTF-8
export PYTHONUTF8 := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export XDG_CACHE_HOME := $(CACHE)
export NODE_COMPILE_CACHE := $(CACHE)/node
export PLAYWRIGHT_BROWSERS_PATH := $(CACHE)/playwright
export MPLCONFIGDIR := $(CACHE)/matplotlib
export IPYTHONDIR := $(CACHE)/ipython
export JUPYTER_CONFIG_DIR := $(CACHE)/jupyter/config
export JUPYTER_DATA_DIR := $(CACHE)/jupyter/data
export JUPYTER_RUNTIME_DIR := $(CACHE)/jupyter/runtime

# What each step reads.
files = $(sort $(shell find $(1) -type f -not -path '*/__pycache__/*' -not -path '*/.ipynb_checkpoints/*' 2>/dev/null))
LITE := $(call files,book/lite)
BOOK := _config.yml _toc.yml CHANGELOG.md CITATION.cff benchmarks/grading.csv $(filter-out $(LITE),$(call files,book))
EXERCISES := $(call files,exercises)
SETS := $(call files,solutions)
# The part of them that the website describes: not what a proof wrote.
BANKS := $(filter-out %/proof.json %/behaviour.json,$(SETS))
PACKAGE := $(call files,autograder)
# The rooms that make the exercises and the table of what each set is proven with.
AUTHORING := $(call files,autograder/common autograder/problem_set autograder/authoring)

# `make test` judges the exercises as committed; every other goal releases them first. The website contains them, so it
# waits for them; its pages depend on their source, not on everything that the release command depends on.
GOALS := $(or $(MAKECMDGOALS),all)
RELEASE_FIRST := $(if $(filter-out test test-all,$(GOALS)),$(STAMPS)/release)
# A wrong setting is reported before anything is built.
CHECK_FIRST := $(if $(PYODIDE),folder-of-pyodide) $(if $(filter handout,$(GOALS)),folder-of-handout)
SYSTEM := $(if $(filter test test-all,$(GOALS)),system-for-tests,system)

# A first run takes minutes, and no step announces the ones after it.
ifeq ($(wildcard .venv/project-installed),)
ifneq ($(filter all test test-all,$(GOALS)),)
$(info ==> First run: environment, problem sets, then website and sample class side by side (about four minutes)$(if \
    $(filter all,$(GOALS)),.,, and the checks.))
endif
endif

.PHONY: all environment website pdf lite release prove class handout test test-all serve requirements clean help system system-for-tests browser \
    folder-of-handout folder-of-pyodide FORCE

ifneq ($(SITE_URL),)
ifeq ($(filter http://% https://%,$(SITE_URL)),)
$(error SITE_URL=$(SITE_URL) is not the address of a website: write it in full, as in https://example.org/course/)
endif
endif

all: website class ## everything: the website, the problem sets, and a sample class graded and reported (the default)
	@printf '\n'
	@cat $(STAMPS)/grades.txt
	@printf '\n'
	@printf '%-12s %s\n' \
	    'Website' '_build/html/index.html (make serve: http://localhost:$(PORT))' \
	    'Grades' '$(CLASS)/grades.csv' \
	    'Report' '$(CLASS)/report/index.html'

environment: .venv/project-installed ## .venv with the packages of requirements.txt

website: $(STAMPS)/website ## the book, executed and rendered, in _build/html, with notebooks that run in the browser

pdf: $(STAMPS)/website browser ## the whole book as one PDF, in the website and linked from its first page
	@echo '==> The book as PDF'
	@$(BIN)/python book/pdf.py _build/html

lite: $(STAMPS)/lite ## JupyterLite with the chapters and problem sets, in _build/lite (PYODIDE=... to include Pyodide in the site)

release: $(STAMPS)/release ## the students' notebooks in exercises/, from solutions/; proves what has changed first

prove: .venv/project-installed ## every problem set proven again in full, whatever proof.json records (some minutes for each)
	@$(AUTOGRADER) release --prove

class: $(STAMPS)/export ## a sample class in _build/class: graded, feedback, report, grades.csv

handout: $(STAMPS)/website ## the website and the problem sets, without solutions, in _build/handout (HANDOUT=... for another folder)
	@$(AUTOGRADER) handout '$(HANDOUT)' --site _build/html

test: .venv/project-installed browser $(STAMPS)/website ## every check: ruff, import-linter, and pytest on the book, the problem sets, the autograder and the site
	@echo '==> Style (ruff)'
	@$(BIN)/ruff check .
	@echo '==> Rooms (import-linter)'
	@$(BIN)/lint-imports --no-logo --no-cache
	@echo '==> Tests (pytest)'
	@$(BIN)/python -m pytest $(PYTEST_FLAGS)

test-all: export TEST_ALL := 1
test-all: test ## every check at full length, where test takes samples (about an hour)

serve: $(STAMPS)/website ## the website on http://localhost:8000 (PORT=... for another port)
	@echo 'http://localhost:$(PORT)  (Ctrl-C ends it)'
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

# Keeps the pinned versions as far as pyproject.toml allows; UV_FLAGS=--upgrade takes the newest.
requirements: .venv/project-installed ## requirements.txt from pyproject.toml (UV_FLAGS=--upgrade for newer versions)
	@mkdir -p _build
	@cp requirements.txt _build/requirements.txt
	@./environment.sh uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --fork-strategy fewest \
	    --generate-hashes --no-emit-index-url --custom-compile-command "make requirements" $(UV_FLAGS) \
	    --quiet -o _build/requirements.txt
	@cmp -s _build/requirements.txt requirements.txt || cp _build/requirements.txt requirements.txt

clean: ## remove what make made: .venv, _build and caches
	rm -rf .venv _build .pytest_cache .hypothesis .ruff_cache
	find . -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r goal does; do \
	    printf 'make %-13s %s\n' "$$goal" "$$does"; done

# The environment. One that is unusable (moved, made with another Python, or its Python is gone) is made again.

system system-for-tests:
	@./environment.sh $@

.venv/packages-installed: requirements.txt environment.sh $(if $(shell ./environment.sh usable && echo yes),,FORCE) | $(SYSTEM)
	@echo '==> Environment (once; a few minutes)'
	@./environment.sh packages
	@touch $@

.venv/project-installed: pyproject.toml .venv/packages-installed
	@./environment.sh project
	@touch $@

browser: .venv/project-installed
	@./environment.sh browser
	@./environment.sh pyodide

folder-of-handout: .venv/project-installed
	@$(AUTOGRADER) handout '$(HANDOUT)' --site _build/html --check

folder-of-pyodide: .venv/project-installed
	@$(BIN)/python book/lite/build.py _build/html _build/lite --pyodide '$(PYODIDE)' --check

# The website. Always built afresh, apart from results stored by content; book/build.py says why.

$(STAMPS)/pages: $(BOOK) $(EXERCISES) $(BANKS) $(AUTHORING) $(STAMPS)/list-of-BOOK $(STAMPS)/list-of-SETS \
    $(STAMPS)/list-of-SITE_URL requirements.txt .venv/project-installed $(if $(wildcard _build/html/index.html),,FORCE) \
    | $(DIRECTORIES) $(CHECK_FIRST) $(RELEASE_FIRST)
	@echo '==> Website'
	@$(BIN)/python book/build.py | \
	    tee $(LOGS)/website.log | \
	    sed -un -e 's#^.*/\(book/.*\)\.md: Executing notebook.*#    executing \1#p' -e 's/.*pickling environment.*/    writing the pages/p'
	@touch $@

# JupyterLite. Every build of the pages writes the chapters' notebooks; only a change in their content counts.

$(STAMPS)/inputs-of-lite: FORCE | $(STAMPS)/pages
	@sha256sum $(LITE) requirements.txt exercises/*/*.ipynb _build/html/book/*/*.ipynb \
	    $(if $(PYODIDE),'$(PYODIDE)'/pyodide.mjs '$(PYODIDE)'/pyodide-lock.json) > $@.new
	@cmp -s $@.new $@ || cp $@.new $@

$(STAMPS)/lite: $(STAMPS)/inputs-of-lite $(if $(wildcard _build/lite/index.html),,FORCE)
	@echo '==> JupyterLite'
	@$(BIN)/python book/lite/build.py _build/html _build/lite $(if $(PYODIDE),--pyodide '$(PYODIDE)')
	@touch $@

$(STAMPS)/website: $(STAMPS)/pages $(STAMPS)/lite $(if $(wildcard _build/html/lite/index.html),,FORCE)
	@rm -rf _build/html/lite
	@cp -r _build/lite _build/html/lite
	@touch $@

# The problem sets.

$(STAMPS)/release: $(SETS) $(PACKAGE) $(EXERCISES) $(STAMPS)/list-of-SETS $(STAMPS)/list-of-SITE_URL .venv/project-installed | $(DIRECTORIES) $(CHECK_FIRST)
	@echo '==> Problem sets'
	@$(AUTOGRADER) release
	@touch $@

# A progress bar would be drawn across the output of the website, which is built at the same time.
WITHOUT_BARS := 2>&1 | cat

# The sample class. Grading resumes where it was interrupted; the class itself is made afresh.

$(STAMPS)/sample-class: $(STAMPS)/release $(if $(wildcard $(CLASS)/submitted),,FORCE) | $(DIRECTORIES)
	@echo '==> Sample class'
	@rm -rf $(CLASS)
	@$(AUTOGRADER) sample-class --class $(CLASS) $(WITHOUT_BARS)
	@touch $@

$(STAMPS)/grade: $(STAMPS)/sample-class
	@echo '==> Grades'
	@$(AUTOGRADER) grade --class $(CLASS) $(WITHOUT_BARS)
	@touch $@

$(STAMPS)/feedback: $(STAMPS)/grade
	@echo '==> Feedback'
	@$(AUTOGRADER) feedback --class $(CLASS) $(WITHOUT_BARS)
	@touch $@

$(STAMPS)/report: $(STAMPS)/feedback
	@echo '==> Report'
	@$(AUTOGRADER) report --class $(CLASS) $(WITHOUT_BARS)
	@touch $@

$(STAMPS)/export: $(STAMPS)/report
	@$(AUTOGRADER) export --class $(CLASS) > $@.txt
	@grep -v '^Grades: ' $@.txt > $(STAMPS)/grades.txt
	@touch $@

# A file that is added or removed counts as a change. Each list is rewritten only when it differs.
$(STAMPS)/list-of-%: FORCE | $(DIRECTORIES)
	@printf '%s\n' $($*) | cmp -s - $@ || printf '%s\n' $($*) > $@

$(DIRECTORIES):
	@mkdir -p $@
