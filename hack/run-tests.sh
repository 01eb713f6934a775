#!/bin/sh
# Run the named levels of tests, each as one pytest; extra arguments for pytest come from PYTEST_ARGS.
#
# TRAINJOBS_TEST_LEVELS says which levels may run at all; a level that is asked for and cannot run fails.
set -u
cd "$(dirname "$0")/.."

known="unit golden crds charts storage agent training cli browser controller cluster cluster-alone cluster-beside"
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

# Run one level's tests with these arguments for pytest; true when they pass. Folders stay of those that failed.
tests() {
    # shellcheck disable=SC2086  # PYTEST_ARGS is a list of words
    .venv/bin/python -m pytest "tests/${level%%-*}" "$@" -o tmp_path_retention_policy=failed ${PYTEST_ARGS:-} </dev/null
    status=$?
    [ $status -ne 5 ] || echo "level $level has no tests" >&2
    return $status
}

# The same, and once more by themselves those that failed, which are named: where real programs share few
# processors, a failure that repeats counts, and one that does not is for its author to look at.
tests_twice() {
    tests "$@" && return
    echo "== $level: what failed, once more" >&2
    tests "$@" --last-failed --last-failed-no-failures none -rA
}

# What takes long and disturbs only its own cluster: on another one, beside the levels that follow.
begin_beside() {
    mkdir -p build
    (
        export TRAINJOBS_CLUSTER=3
        tests_twice -m beside -o cache_dir=.pytest_cache/beside
    ) >build/cluster-beside.log 2>&1 &
    beside=$!
    echo "goes on beside the others: build/cluster-beside.log"
}

end_beside() {
    echo "== cluster-beside, which ran beside the others"
    wait "$beside"
    status=$?
    cat build/cluster-beside.log
    return $status
}

failed= beside=
for level in "$@"; do
    case " $allowed " in
    *" $level "*) ;;
    *)
        echo "== $level: left out by TRAINJOBS_TEST_LEVELS"
        continue
        ;;
    esac
    echo "== $level"
    if [ "$level" = browser ] && ! hack/need-chromium.sh; then
        failed="$failed $level"
        continue
    fi
    # What takes minutes to build is built before the tests, whose time is limited; it says what it builds.
    case $level in
    controller) .venv/bin/python -m tests.cluster.harness.parts etcd kube-apiserver kubectl ;;
    cluster*) .venv/bin/python -m tests.cluster.harness build ;;
    esac || {
        failed="$failed $level"
        continue
    }
    case $level in
    unit | golden) tests -n 2 --dist worksteal ;;
    # A file's tests share what they trained or started.
    agent | training | cli | controller) tests_twice -n 2 --dist loadfile ;;
    # Most of the time these wait for pods; those that take a part of the cluster away come by themselves.
    cluster) tests_twice -n 4 --dist worksteal -m "not alone and not beside" ;;
    cluster-alone) tests_twice -m alone ;;
    cluster-beside)
        # Only clusters of our own parts are as many as one likes.
        case $(.venv/bin/python -m tests.cluster.harness provider) in
        own) begin_beside ;;
        *) tests_twice -m beside ;;
        esac
        ;;
    *) tests_twice ;;
    esac || failed="$failed $level"
done
[ -z "$beside" ] || end_beside || failed="$failed cluster-beside"
if [ -n "$failed" ]; then
    echo "failed levels:$failed" >&2
    exit 1
fi
