#!/bin/sh
# Install stream_ocr without extras into a fresh environment, read a generated clip there, and print size and time.
# MAX_MB limits the size without byte code, which Python compiles as it imports; see docs/decisions/0021.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
size_mb() { du -sm "$work/venv" | cut -f1; }

"${PYTHON3:-python3}" -m venv "$work/venv"
start=$(date +%s)
"$work/venv/bin/pip" install -q --disable-pip-version-check --no-compile -c "$here/constraints.txt" "$here"
seconds=$(($(date +%s) - start))
installed_mb=$(size_mb)
cd "$work"
"$work/venv/bin/stream-ocr" demo
"$work/venv/bin/stream-ocr" doctor
"$work/venv/bin/python" -c 'from importlib.util import find_spec; assert not any(map(find_spec, ("torch", "onnxruntime")))'
"$work/venv/bin/python" -m compileall -q "$work/venv/lib" >/dev/null || true # templates of some packages are not valid Python
echo "plain install: $installed_mb MB, $(size_mb) MB with byte code, $seconds s"
test "$installed_mb" -le "${MAX_MB:-700}"
