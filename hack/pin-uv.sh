#!/bin/sh
# Pin another version of uv: hack/pin-uv.sh VERSION rewrites hack/uv-requirements.txt with the index's hashes.
set -eu
cd "$(dirname "$0")/.."
version=${1:?usage: hack/pin-uv.sh VERSION}
pins=$(echo "uv==$version" | "${UV:?run it as: make pin-uv VERSION=$version}" pip compile --quiet --generate-hashes --universal \
    --python-version 3.11 --no-header --no-annotate -)
{
    echo "# uv, the installer of everything else, by the hashes of all its distributions."
    echo "# To change the version: make pin-uv VERSION=x.y.z"
    echo "$pins"
} >hack/uv-requirements.txt
