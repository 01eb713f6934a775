#!/bin/sh
# Fail when a checked-in generated file is not what its generator writes.
set -eu
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
hack/generate.sh "$fresh"
stale=
for path in $(grep -v -e '^#' -e '^[[:space:]]*$' hack/generators | cut -d' ' -f1); do
    diff -r -u "$path" "$fresh/$path" >&2 || stale="$stale $path"
done
if [ -n "$stale" ]; then
    echo "generated files are out of date:$stale; run make generate and commit the result" >&2
    exit 1
fi
