#!/bin/sh
# Write every generated file of hack/generators below the given root (the repository itself, or a copy).
set -eu
cd "$(dirname "$0")/.."
root=${1:?usage: hack/generate.sh ROOT}
PATH="$PWD/.venv/bin:$PATH"
grep -v -e '^#' -e '^[[:space:]]*$' hack/generators | while read -r path command; do
    mkdir -p "$(dirname "$root/$path")"
    # A file whose source is gone must not stay behind.
    rm -rf "${root:?}/$path"
    eval "$(printf '%s' "$command" | sed "s#{}#\"\$root/$path\"#")" </dev/null
done
