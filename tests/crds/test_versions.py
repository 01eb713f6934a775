"""The API server whose code judges manifests here is the one that the clusters of the tests run."""

import re
from pathlib import Path

from tests.cluster.harness.parts import GO
from tests.crds.checker import MODULE


def modules(path: Path) -> dict[str, str]:
    """The modules that a go.mod requires, with the versions that its replacements say."""
    lines = path.read_text()
    required = dict(re.findall(r"^\s*(?:require )?([a-z][\w./-]+) (v\S+)", lines, re.MULTILINE))
    replaced = dict(re.findall(r"^\s*(?:replace )?(\S+) => \1 (v\S+)", lines, re.MULTILINE))
    return {**required, **replaced}


def test_both_are_built_from_the_same_modules() -> None:
    # Then, too, what one has compiled the other finds in Go's cache: a minute and a half of a first build.
    judging, running = modules(MODULE / "go.mod"), modules(GO / "kubernetes" / "go.mod")
    assert "k8s.io/apiextensions-apiserver" in judging
    assert {name: running.get(name) for name in judging} == judging
