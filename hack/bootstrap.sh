#!/bin/sh
# Make sure the pinned uv is in $BOOTSTRAP: a small environment, by pip, by hash. It is kept between clones.
# Reads PYTHON, the interpreter to build on; prints the path of the interpreter behind it.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "install: $*" >&2
    exit 1
}

command -v "$PYTHON" >/dev/null ||
    fail "$PYTHON not found: install Python 3.11, 3.12 or 3.13, or say make PYTHON=/path/to/python3"
# A version manager's shim runs, yet is no interpreter: ask it which one it stands for.
base=$("$PYTHON" -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))') ||
    fail "$PYTHON does not run: say make PYTHON=/path/to/python3"
version=$("$base" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $version in
3.11 | 3.12 | 3.13) ;;
*) fail "$PYTHON is Python $version, trainjobs needs 3.11, 3.12 or 3.13: say make PYTHON=/path/to/python3" ;;
esac
"$base" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$base has no venv module: install it (Debian and Ubuntu: apt-get install python3-venv)"

is_complete() {
    # The interpreter that it was built on may be gone.
    "$BOOTSTRAP/bin/python" -c '' 2>/dev/null && cmp -s hack/uv-requirements.txt "$BOOTSTRAP/.complete"
}
if ! is_complete; then
    echo "installing uv into $BOOTSTRAP" >&2
    "$base" -m venv --clear "$BOOTSTRAP" || fail "cannot create the environment $BOOTSTRAP"
    PIP_USER=0 "$BOOTSTRAP/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --require-hashes -r hack/uv-requirements.txt >&2 || fail "pip could not install uv (see above)"
    cp hack/uv-requirements.txt "$BOOTSTRAP/.complete"
fi
echo "$base"
