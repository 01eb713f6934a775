#!/bin/sh
# Make .venv hold exactly what uv.lock names. `make install` calls it.
# Reads PYTHON and BOOTSTRAP (see bootstrap.sh) and STAMP, written last: an interrupted installation is done again.
set -eu
cd "$(dirname "$0")/.."
base=$(hack/bootstrap.sh)

# Only an interpreter that is already there: no download of another one.
export UV_PYTHON_PREFERENCE=only-system UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT="$PWD/.venv"
# Compiled now, so that no first start pays for it, also where PYTHONDONTWRITEBYTECODE is set.
export UV_COMPILE_BYTECODE=1
[ -t 2 ] || export UV_NO_PROGRESS=1
unset VIRTUAL_ENV
echo "installing into .venv"
"$BOOTSTRAP/bin/uv" sync --locked --all-extras --python "$base" || {
    echo "install: uv could not install what uv.lock names (see above)" >&2
    exit 1
}
.venv/bin/python -m compileall -q src
cp uv.lock "$STAMP"
