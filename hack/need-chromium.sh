#!/bin/sh
# Succeed when a headless Chromium and a Chinese font are there; root on a Debian gets them installed, everyone else
# one line.
set -u
missing="chromium fonts-wqy-zenhei"
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && missing="${missing#chromium }"
done
[ -z "$(fc-list :lang=zh-cn family 2>/dev/null)" ] || missing="${missing%fonts-wqy-zenhei}"
missing=$(echo $missing)
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing Debian's $missing"
    # shellcheck disable=SC2086  # a list of packages
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends fontconfig $missing; } \
        </dev/null >/dev/null && exit 0
fi
echo "level browser: needs $missing, which is not here: install it (Debian: apt-get install $missing)," \
    "or leave browser out of TRAINJOBS_TEST_LEVELS" >&2
exit 1
