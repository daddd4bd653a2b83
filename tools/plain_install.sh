#!/bin/sh
# Install stream_ocr without extras into a fresh environment, read a generated clip there, and print size and time.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON3:-python3}" -m venv "$work/venv"
start=$(date +%s)
"$work/venv/bin/pip" install -q --disable-pip-version-check --no-compile -c "$here/constraints.txt" "$here"
end=$(date +%s)
size_mb=$(du -sm "$work/venv" | cut -f1)
cd "$work"
"$work/venv/bin/stream-ocr" demo
"$work/venv/bin/python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is not None)'
echo "plain install: $size_mb MB, $((end - start)) s"
test "$size_mb" -le "${MAX_MB:-720}"
