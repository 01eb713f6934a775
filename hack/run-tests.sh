#!/bin/sh
# Run the named levels of tests, each as one pytest; extra arguments for pytest come from PYTEST_ARGS.
#
# Levels joined by + run side by side, and tell what they have to tell when they have ended. With --acceptance as
# first argument: the tests of these levels that are marked so, which are not run otherwise.
# TRAINJOBS_TEST_LEVELS says which levels may run at all; a level that is asked for and cannot run fails.
set -u
cd "$(dirname "$0")/.."

chosen="not acceptance"
if [ "${1:-}" = --acceptance ]; then
    chosen=acceptance
    shift
fi
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

# Run one level's tests, those of a marker (or "") of these arguments for pytest; true when they pass. Folders stay
# of those that failed.
tests() {
    marker=$1
    shift
    # shellcheck disable=SC2086  # PYTEST_ARGS is a list of words
    .venv/bin/python -m pytest "tests/${level%%-*}" "$@" -m "($chosen)${marker:+ and ($marker)}" \
        -o tmp_path_retention_policy=failed -o "cache_dir=.pytest_cache/$level" ${PYTEST_ARGS:-} </dev/null
    status=$?
    # Not every level has tests that are for acceptance.
    [ $status -ne 5 ] || [ "$chosen" != acceptance ] || return 0
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

# What takes minutes to build is built before the tests, whose time is limited; it says what it builds.
build_for() {
    case $1 in
    browser) hack/need-chromium.sh ;;
    crds) .venv/bin/python -m tests.crds.checker ;;
    controller) .venv/bin/python -m tests.cluster.harness.parts etcd kube-apiserver kubectl ;;
    cluster*) .venv/bin/python -m tests.cluster.harness build ;;
    esac
}

run_level() {
    level=$1
    case $level in
    unit | golden) tests "" -n 2 --dist worksteal ;;
    # A file's tests share what they trained or started.
    agent | training | cli | controller) tests_twice "" -n 2 --dist loadfile ;;
    # Most of the time these wait for pods; those that take a part of the cluster away come by themselves.
    cluster) tests_twice "not alone and not beside" -n 4 --dist worksteal ;;
    cluster-alone) tests_twice alone ;;
    cluster-beside) tests_twice beside ;;
    *) tests_twice "" ;;
    esac
}

# Start a level beside others, into a file of its own; a number after it is that of its cluster.
begin() {
    mkdir -p build
    (
        [ -z "${2:-}" ] || export TRAINJOBS_CLUSTER="$2"
        run_level "$1"
    ) >"build/$1.log" 2>&1 &
    echo "== $1: goes on beside others, into build/$1.log"
    running="$running $1:$!"
}

# Wait for one that was begun, and show what it printed.
end() {
    echo "== ${1%:*}, which ran beside others"
    wait "${1#*:}"
    status=$?
    cat "build/${1%:*}.log"
    [ $status -eq 0 ] || failed="$failed ${1%:*}"
}

is_allowed() {
    case " $allowed " in
    *" $1 "*) return 0 ;;
    esac
    echo "== $1: left out by TRAINJOBS_TEST_LEVELS"
    return 1
}

# Only of clusters of our own parts there are as many as one likes.
has_cluster_beside() {
    [ "$(.venv/bin/python -m tests.cluster.harness provider)" = own ]
}

failed='' running='' beside=''
for step in "$@"; do
    for level in $(echo "$step" | tr + ' '); do
        is_allowed "$level" || continue
        # One after the other, also where they run side by side: what two programs share is compiled once.
        if ! build_for "$level"; then
            failed="$failed $level"
            continue
        fi
        case $step,$level in
        *+*) begin "$level" ;;
        *,cluster-beside)
            # What takes long and disturbs only its own cluster: on another one, beside the levels that follow.
            if has_cluster_beside; then
                begin "$level" 3
                beside=$running running=''
            else
                echo "== $level"
                run_level "$level" || failed="$failed $level"
            fi
            ;;
        *)
            echo "== $level"
            run_level "$level" || failed="$failed $level"
            ;;
        esac
    done
    for one in $running; do
        end "$one"
    done
    running=''
done
for one in $beside; do
    end "$one"
done
if [ -n "$failed" ]; then
    echo "failed levels:$failed" >&2
    exit 1
fi
