"""An installation without cluster-wide rights serves its namespaces, and sees nothing else."""

from typing import Any

import pytest
import yaml

from tests.cluster import release
from tests.cluster.bench import CHART, Bench
from tests.cluster.installation import chart_values
from tests.cluster.operator_pods import scaled

# The shared release serves every namespace: two must not serve one, so that one rests meanwhile.
pytestmark = pytest.mark.alone

NAME = "team"
FULL_NAME = f"{NAME}-trainjobs"
ROLES = {"Role", "RoleBinding"}


@pytest.fixture
def team(bench: Bench, operator_image: str, tmp_path):
    """The chart in the test's own namespace, for that one only, as install.md says."""
    cluster = bench.cluster
    scaled(bench, 0)
    given = chart_values(cluster, operator_image) | {
        "crds": {"install": False},
        "rbac": {"aggregatedRoles": False},
        "watch": {"namespaces": [bench.namespace]},
    }
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(given))
    cluster.helm(
        "install", NAME, str(CHART), "--namespace", bench.namespace,
        "--values", str(tmp_path / "values.yaml"), "--wait", "--timeout", "180s",
    )  # fmt: skip
    yield bench
    cluster.helm("uninstall", NAME, "--namespace", bench.namespace, "--wait", "--timeout", "120s")
    release.restored(bench)


def objects(team: Bench) -> list[dict[str, Any]]:
    text = team.cluster.helm("get", "manifest", NAME, "--namespace", team.namespace)
    return [one for one in yaml.safe_load_all(text) if one]


def may(team: Bench, *question: str) -> bool:
    account = f"system:serviceaccount:{team.namespace}:{FULL_NAME}"
    answer = team.cluster.try_kubectl("auth", "can-i", *question, "--as", account)
    return answer.stdout.strip() == "yes"


def test_a_release_with_roles_only_runs_its_namespace_and_sees_no_other(team: Bench):
    elsewhere = Bench(team.cluster, team.cluster.make_another_namespace(team.namespace, "other"))
    elsewhere.prepare()
    elsewhere.apply("unseen", "--steps", "5")
    team.apply("seen", "--steps", "20", "--step-seconds", "0.25")
    # Agents report to this release's own status server.
    team.until_training("seen")
    team.wait("seen", "Succeeded", 120)
    assert elsewhere.status("unseen") == {}
    assert elsewhere.pods("unseen") == []
    assert {one["metadata"]["namespace"] for one in objects(team)} == {team.namespace}
    assert {one["kind"] for one in objects(team)} >= ROLES
    assert may(team, "create", "pytorchjobs.kubeflow.org", "-n", team.namespace)
    for place in (("-n", elsewhere.namespace), ("--all-namespaces",)):
        for right in (("list", "pods"), ("list", "rewardmodelruns.trainjobs.dev"), ("get", "jobs.batch")):
            assert not may(team, *right, *place), (right, place)
    log = team.kubectl("logs", f"deployment/{FULL_NAME}", "--all-pods", "--prefix", "--tail=-1")
    assert "forbidden" not in log.lower()
    elsewhere.leave()
