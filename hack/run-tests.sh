#!/bin/sh
# Run the named levels of tests, each as one pytest; extra arguments for pytest come from PYTEST_ARGS.
#
# TRAINJOBS_TEST_LEVELS says which levels may run at all; a level that is asked for and cannot run fails.
set -u
cd "$(dirname "$0")/.."

known="unit golden crds charts storage agent training cli browser cluster"
allowed=${TRAINJOBS_TEST_LEVELS:-$known}
for level in $allowed; do
    case " $known " in
    *" $level "*) ;;
    *)
        echo "TRAINJOBS_TEST_LEVELS: there is no level '$level'; known: $known" >&2
        exit 2
        ;;
    esac
done

failed=
for level in "$@"; do
    case " $allowed " in
    *" $level "*) ;;
    *)
        echo "== $level: left out by TRAINJOBS_TEST_LEVELS"
        continue
        ;;
    esac
    case $level in
    unit | golden) how="-n 2 --dist worksteal" ;;
    # A file's tests share what they trained or started.
    agent | training | cli) how="-n 2 --dist loadfile" ;;
    *) how="" ;;
    esac
    echo "== $level"
    if [ "$level" = browser ] && ! hack/need-chromium.sh; then
        failed="$failed $level"
        continue
    fi
    # Kubernetes is built before the tests, whose time is limited; it says what it builds.
    if [ "$level" = cluster ] && ! .venv/bin/python -m tests.cluster.harness build; then
        failed="$failed $level"
        continue
    fi
    # shellcheck disable=SC2086  # both are lists of words
    .venv/bin/python -m pytest "tests/$level" $how ${PYTEST_ARGS:-} </dev/null
    status=$?
    [ $status -ne 5 ] || echo "level $level: tests/$level has no tests" >&2
    [ $status -eq 0 ] || failed="$failed $level"
done
if [ -n "$failed" ]; then
    echo "failed levels:$failed" >&2
    exit 1
fi
