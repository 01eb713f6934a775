#!/bin/sh
# Succeed when a headless Chromium is there; root on a Debian gets it installed, everyone else one line.
set -u
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing Debian's chromium"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } \
        </dev/null >/dev/null && exit 0
fi
echo "level browser: needs chromium, which is not here: install it (Debian: apt-get install chromium)," \
    "or leave browser out of TRAINJOBS_TEST_LEVELS" >&2
exit 1
