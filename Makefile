# Amagasa: `make demo` shows it, `make test` proves it. Both set up everything they need.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
BROWSERS := $(VENV)/.debian
KAFKA := $(VENV)/.kafka
BUILT := $(VENV)/.console
COMPILED := $(VENV)/.compiled
CONSOLE := $(shell find console native -type f -not -path '*/node_modules/*' 2>/dev/null)
MODULES := $(shell find src -name '*.py' 2>/dev/null)

.PHONY: demo test console check format bench clean setup debian kafka screenshots requirements

demo: $(READY) $(BUILT) $(COMPILED)
	@$(VENV)/bin/amagasa demo

test: $(READY) $(BUILT) $(COMPILED) debian kafka
	@$(MAKE) --no-print-directory check
	@$(PY) -m pytest -n 2 --dist loadfile

check: $(READY)
	@$(VENV)/bin/ruff format --check -q . || { echo "some files are not formatted: run make format"; exit 1; }
	@$(VENV)/bin/ruff check -q --output-format concise .
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-logo > $(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }
	@$(PY) -m pytest -q --no-header -p no:cacheprovider tests/house > $(VENV)/house.log || { cat $(VENV)/house.log; exit 1; }
	@echo "check: formatted, linted, typed, arrows and house rules hold"

format: $(READY)
	@$(VENV)/bin/ruff format -q .
	@$(VENV)/bin/ruff check -q --output-format concise --fix .

bench: $(READY) $(BUILT) $(COMPILED)
	@$(PY) bench/run.py

screenshots: $(READY) $(BUILT) debian
	@$(PY) docs/screenshots.py

setup: $(READY) $(BUILT) $(COMPILED)

$(READY): requirements.txt requirements-dev.txt pyproject.toml hatch_build.py
	@if [ ! -x $(PY) ]; then \
	  echo "setup: making a virtual environment in $(VENV)"; \
	  for p in python3.11 python3.12 python3.13 python3; do \
	    command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && $$p -m venv $(VENV) && break; \
	  done; \
	  [ -x $(PY) ] || { echo "setup: Python 3.11 or newer with venv is needed: apt-get install python3 python3-venv"; exit 3; }; fi
	@echo "setup: installing pinned packages (hashes checked)"
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@echo "setup: building the console and the native library, and installing amagasa"
	@$(PY) hatch_build.py
	@$(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(BUILT): $(CONSOLE) | $(READY)
	@$(PY) hatch_build.py
	@touch $@

# Where Python may not write what it compiled (PYTHONDONTWRITEBYTECODE), each start would compile 300 modules again.
$(COMPILED): $(MODULES) | $(READY)
	@$(PY) -m compileall -q src
	@touch $@

# What the tests need from Debian: a browser with a Japanese font. Without root or apt those tests skip and say why.
debian: $(BROWSERS)
$(BROWSERS): | $(READY)
	@if command -v chromium >/dev/null && fc-list :lang=ja 2>/dev/null | grep -q .; then touch $@; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "setup: installing chromium and a Japanese font from Debian"; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk fontconfig; } \
	    >$(VENV)/debian.log 2>&1 && touch $@ || echo "setup: that failed (see $(VENV)/debian.log); browser tests will skip"; \
	else echo "setup: no chromium, and no root to install it: browser tests will skip"; fi

# A broker for the tests of the source kafka. Without Maven or Java those tests skip and say why.
kafka: $(KAFKA)
$(KAFKA): tests/journeys/kafka/pom.xml | $(READY)
	@if command -v mvn >/dev/null && command -v java >/dev/null; then \
	  echo "setup: copying Apache Kafka for the tests"; \
	  rm -rf $(VENV)/kafka; \
	  timeout 300 mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(VENV)/kafka >$(VENV)/kafka.log 2>&1 && touch $@ \
	    || echo "setup: that failed (see $(VENV)/kafka.log); tests of Kafka will skip"; \
	else echo "setup: no Maven or no Java: tests of Kafka will skip"; fi

requirements:
	@$(VENV)/bin/python -m uv --version >/dev/null 2>&1 || $(PY) -m pip install -q uv
	@$(PY) -m uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal pyproject.toml -o requirements.txt
	@$(PY) -m uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

clean:
	@rm -rf $(VENV) build dist console/node_modules src/amagasa/entry/people/static src/amagasa/event/_native.so .mypy_cache .ruff_cache .pytest_cache
