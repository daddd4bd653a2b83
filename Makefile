# make demo and make test each work as the only command typed in a fresh clone.

VENV   := .venv
PYTHON  = $(VENV)/bin/python
# The first Python that is new enough, unless PYTHON3 names one.
PYTHON3 ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $(name))))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: cameras soak latency kills help install demo test lint check docs screenshots wheel clean

help:
	@echo "make demo     render a clip, read it, show what comes of it"
	@echo "make test     run the tests"
	@echo "make install  only make $(VENV), with everything that the above need"
	@echo "make lint     ruff and mypy"
	@echo "make check    lint and test"
	@echo "make docs     write docs/events.md, the schemas and configs/default.yaml from the code"
	@echo "make soak     three cameras with faults for an hour (MINUTES=60): memory, descriptors, texts"
	@echo "make latency  one camera: from its picture to the event"
	@echo "make kills    kill the publisher of events fifty times: each event must come exactly once"
	@echo "make screenshots  take the pictures of docs/see.md anew (some minutes; needs Chromium)"
	@echo "make wheel    build the package, weights included, into dist/"

install: $(VENV)/.installed

$(VENV)/bin/python:
	@test -n "$(PYTHON3)" || { echo "There is no Python 3.11 or newer here; on Debian: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON3) -c 'import ensurepip' 2>/dev/null || { \
		package=$$($(PYTHON3) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$package; \
		else \
			echo "$(PYTHON3) comes without venv; install the package $$package (Debian: sudo apt-get install $$package)."; exit 1; \
		fi; }
	$(PYTHON3) -m venv --clear $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing into $(VENV), which takes some minutes"
	@$(PYTHON) -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[ppocr,webhook,mqtt,rules,dashboard,dev]'
	@touch $@

demo: install
	$(VENV)/bin/stream-ocr demo

test: install cameras
	$(PYTHON) -m pytest -n 2

# GStreamer's RTSP server, for the cameras of the tests. Where it may not be installed their tests are skipped.
cameras:
	@/usr/bin/python3 tests/rtsp_camera/camera.py --check 2>/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
				$$(cat tests/rtsp_camera/packages); \
		fi; } || echo "tests with cameras will be skipped"

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

check: lint test

docs: install
	$(PYTHON) tools/generate_reference.py docs
	env -u STREAM_OCR_DEBUG $(VENV)/bin/stream-ocr config > configs/default.yaml

screenshots: install
	$(PYTHON) docs/screenshots.py

wheel: install
	$(PYTHON) -m pip wheel -q --disable-pip-version-check --no-deps -w dist .

soak: install
	$(PYTHON) benchmarks/soak.py --minutes $(or $(MINUTES),60) --out benchmarks/results/soak.json

latency: install
	$(PYTHON) benchmarks/latency.py --out benchmarks/results/latency.json

kills: install
	$(PYTHON) benchmarks/subscribe.py kills --rounds 50

clean:
	rm -rf $(VENV) build dist demo
