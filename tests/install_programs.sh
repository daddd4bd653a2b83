#!/bin/sh
# Install the programs that tests run: GStreamer's RTSP server, Chromium, mosquitto, nats-server, Node.js with zeromq, and small tools.
# Without root or apt-get, only what is missing is printed; tests that need it are skipped.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
packages=$(cat "$here/rtsp_camera/packages" "$here/packages")
command -v node >/dev/null && command -v npm >/dev/null || packages="$packages nodejs npm"

missing=
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -q
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
    else
        echo "Some tests will be skipped; install:$missing"
    fi
fi
if command -v npm >/dev/null && [ ! -d "$here/../docs/examples/node_modules/zeromq" ]; then
    npm install --silent --no-audit --no-fund --prefix "$here/../docs/examples" ||
        echo "Tests with Node.js will be skipped: npm could not install zeromq."
fi
