#!/bin/sh
# Build an image of images/: hack/build-image.sh operator|trainer [NAME:TAG] [further flags for the tool]
#
# With Docker where its daemon answers, else with buildah. Reads from the environment:
#   CONTAINER_TOOL  docker, podman or buildah, to choose one
#   BASE_IMAGE      another image with Python to build on
#   SSL_CERT_FILE   the certificate authorities of a proxy that this machine is behind
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "build-image: $*" >&2
    exit 1
}

image=${1:-}
[ -n "$image" ] && [ -f "images/$image/Dockerfile" ] ||
    fail "which image? One of: $(cd images && echo */ | tr -d /)"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
name=${2:-trainjobs/$image:$version}
shift
[ $# -eq 0 ] || shift

tool=${CONTAINER_TOOL:-}
if [ -z "$tool" ]; then
    if docker info >/dev/null 2>&1; then
        tool=docker
    elif command -v buildah >/dev/null; then
        tool=buildah
    elif command -v podman >/dev/null; then
        tool=podman
    else
        fail "needs a running Docker, buildah or podman (Debian: apt-get install buildah)"
    fi
fi

revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
set -- --file "images/$image/Dockerfile" --tag "$name" \
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" "$@"
[ -z "${BASE_IMAGE:-}" ] || set -- --build-arg "BASE_IMAGE=$BASE_IMAGE" "$@"
if [ -n "${SSL_CERT_FILE:-}" ]; then
    set -- --secret "id=ca,src=$SSL_CERT_FILE" --build-arg SSL_CERT_FILE=/run/secrets/ca "$@"
fi
case $tool in
# Docker's own format carries HEALTHCHECK; layers are kept for the next build.
buildah | podman) set -- --format docker --layers --network host "$@" ;;
docker) export DOCKER_BUILDKIT=1 ;;
*) fail "CONTAINER_TOOL: $tool is none of docker, podman, buildah" ;;
esac
exec "$tool" build "$@" .
