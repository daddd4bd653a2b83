# Each target works as the first command in a fresh clone.

VENV   := .venv
PYTHON  = $(VENV)/bin/python
# The first Python that is new enough, unless PYTHON3 names one.
PYTHON3 ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $(name))))

PIP_INSTALL := pip install -q --disable-pip-version-check
# Programs for locks and releases, apart from what they look at.
TOOLS := .tools
LOCK = $(TOOLS)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--override locks/no-torch.txt $(UPGRADE)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test programs lint check docs site screenshots wheel plain-install soak cluster-soak latency kills history fuzz clean \
	lock sbom audit licences

help:
	@echo "make demo       render a clip with known texts, read it and show the result"
	@echo "make test       run the tests; as root on Debian, install the programs that they need"
	@echo "make install    create $(VENV) with everything that the other targets need"
	@echo "make lint       run ruff, mypy and import-linter"
	@echo "make check      lint and test"
	@echo "make docs       generate docs/events.md, the schemas and configs/default.yaml from the code"
	@echo "make site       build the documentation site into site/"
	@echo "make plain-install  install without extras into a fresh environment, read a clip there, limit the size"
	@echo "make soak       run cameras, viewer, subscriber and edits under faults of all kinds for an hour (MINUTES=60, SEED=1)"
	@echo "make latency    measure the time from a camera's frame to its event"
	@echo "make kills      kill the event publisher fifty times: every event must arrive exactly once"
	@echo "make cluster-soak   run a fleet on three nodes under faults for MINUTES=30"
	@echo "make history    check store, bus and clients under FAULTS=200 faults of ten kinds"
	@echo "make fuzz       feed random hostile inputs to every parser for an hour (MINUTES=60)"
	@echo "make screenshots    take the pictures of docs/see.md again (needs Chromium)"
	@echo "make lock       write locks/ again: exact versions with hashes (UPGRADE=--upgrade: the newest)"
	@echo "make licences   write docs/licences.md again, from what is installed"
	@echo "make sbom       list what an installation contains, as CycloneDX, in dist/"
	@echo "make audit      look up known vulnerabilities of the locked versions (asks PyPI)"
	@echo "make wheel      build the package with its weights into dist/"

install: $(VENV)/.installed

$(VENV)/bin/python:
	@test -n "$(PYTHON3)" || { echo "Python 3.11 or newer is missing; on Debian: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON3) -c 'import ensurepip' 2>/dev/null || { \
		package=$$($(PYTHON3) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$package; \
		else \
			echo "$(PYTHON3) lacks venv; install the package $$package (Debian: sudo apt-get install $$package)."; exit 1; \
		fi; }
	$(PYTHON3) -m venv --clear $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt locks/dev.txt
	@echo "Installing into $(VENV); this takes some minutes."
	@$(PYTHON) -m $(PIP_INSTALL) --require-hashes -r locks/dev.txt
	@$(PYTHON) -m $(PIP_INSTALL) -c constraints.txt torch
	@$(PYTHON) -m $(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

demo: install
	$(VENV)/bin/stream-ocr demo

test: install programs
	$(PYTHON) -m pytest -n 3

programs:
	@sh tests/install_programs.sh

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

check: lint test

docs: install
	$(PYTHON) tools/generate_reference.py docs
	env -u STREAM_OCR_DEBUG $(VENV)/bin/stream-ocr config > configs/default.yaml

site: install
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

screenshots: install
	$(PYTHON) docs/screenshots.py

wheel: install
	$(PYTHON) -m pip wheel -q --disable-pip-version-check --no-deps -w dist .

licences: install
	$(PYTHON) tools/list_licences.py docs/licences.md

$(TOOLS)/.installed: locks/release.txt
	@test -n "$(PYTHON3)" || { echo "Python 3.11 or newer is missing."; exit 1; }
	$(PYTHON3) -m venv --clear $(TOOLS)
	@$(TOOLS)/bin/python -m $(PIP_INSTALL) --require-hashes -r $<
	@touch $@

lock: $(TOOLS)/.installed
	$(LOCK) pyproject.toml --extra ppocr --extra torch -o locks/run.txt
	$(LOCK) pyproject.toml --extra ppocr --extra archive --extra cluster --extra nats -c locks/run.txt -o locks/cluster.txt
	$(LOCK) pyproject.toml locks/build.in --all-extras -c locks/run.txt -o locks/dev.txt
	$(LOCK) locks/build.in -o locks/build.txt
	$(LOCK) locks/release.in -o locks/release.txt

sbom: $(TOOLS)/.installed
	rm -rf build/sbom
	$(PYTHON3) -m venv --without-pip build/sbom
	$(TOOLS)/bin/python -m pip --python build/sbom/bin/python install -q --disable-pip-version-check --require-hashes -r locks/run.txt
	mkdir -p dist
	$(TOOLS)/bin/cyclonedx-py environment build/sbom --pyproject pyproject.toml --output-reproducible --of JSON -o dist/stream-ocr.cdx.json

audit: $(TOOLS)/.installed
	$(TOOLS)/bin/pip-audit --require-hashes --disable-pip -r locks/run.txt

plain-install:
	PYTHON3=$(PYTHON3) sh tools/plain_install.sh

soak: install
	$(PYTHON) benchmarks/soak.py --minutes $(or $(MINUTES),60) --seed $(or $(SEED),1) --out benchmarks/results/soak-all-faults.json

latency: install
	$(PYTHON) benchmarks/latency.py --out benchmarks/results/latency.json

kills: install
	$(PYTHON) benchmarks/subscribe.py kills --rounds 50

cluster-soak: install
	$(PYTHON) benchmarks/fleet_soak.py --minutes $(or $(MINUTES),30) --out benchmarks/results/fleet-soak.json

history: install
	$(PYTHON) benchmarks/history.py --faults $(or $(FAULTS),200) --out benchmarks/results/history.json

fuzz: install
	$(PYTHON) benchmarks/fuzzing.py --minutes $(or $(MINUTES),60) --out benchmarks/results/fuzz.json

clean:
	rm -rf $(VENV) $(TOOLS) build dist demo site
