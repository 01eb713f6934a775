"""The program: verbs are loaded when called, and every error is one line with its code."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from trainjobs.cli.app import VERBS


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def _trainjobs(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "trainjobs", *arguments], capture_output=True, text=True)


def test_help_lists_every_verb_and_loads_none():
    code = (
        "import sys; sys.argv = ['trainjobs', '--help']\n"
        "from trainjobs.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code)\n"
        "print([m for m in ('torch', 'pydantic', 'yaml', 'rich', 'boto3') if m in sys.modules])\n"
        "print(sorted(m for m in sys.modules if m.startswith('trainjobs.')))\n"
    )
    *helped, code, heavy, ours = _python(code).splitlines()
    assert not any(line.endswith("...") for line in helped[helped.index("Commands:") :]), "cut short"
    for verb in VERBS:
        assert any(line.split()[:1] == [verb] for line in helped) == (
            find_spec(f"trainjobs.cli.{verb}") is not None
        )
    assert (code, heavy) == ("0", "[]")
    assert ours == str(
        [
            "trainjobs.cli",
            "trainjobs.cli.app",
            "trainjobs.cli.console",
            "trainjobs.errors",
            "trainjobs.printing",
        ]
    )


@pytest.mark.parametrize("verb", [verb for verb in VERBS if find_spec(f"trainjobs.cli.{verb}") is not None])
def test_every_verb_has_help_with_an_example_and_loads_no_torch(verb: str):
    code = (
        f"import sys; sys.argv = ['trainjobs', '{verb}', '--help']\n"
        "from trainjobs.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert 'torch' not in sys.modules\n"
    )
    helped = _python(code)
    assert f"  trainjobs {verb}" in helped


def test_a_misspelt_verb_is_answered_with_the_right_one():
    done = _trainjobs("validat")
    assert done.returncode == 2
    assert "Did you mean 'validate'" in done.stderr


def test_an_error_is_one_line_and_its_trace_is_shown_on_request():
    done = _trainjobs("validate", "no-such.yaml")
    assert (done.returncode, done.stderr) == (
        2,
        "error: no-such.yaml: no such file; name a manifest or a folder of manifests\n",
    )
    for arguments in (("--debug", "validate", "no-such.yaml"), ("validate", "no-such.yaml", "--debug")):
        assert "Traceback" in _trainjobs(*arguments).stderr


@pytest.mark.parametrize("arguments", [[], ["--debug"]])
def test_a_defect_of_ours_is_one_line_too(arguments: list[str]):
    code = (
        "import sys\n"
        "from trainjobs.cli import app, crds, main\n"
        "def broken(kinds): raise ValueError('first\\nsecond')\n"
        "crds.print_json = broken\n"
        f"sys.argv = ['trainjobs', 'crds', '--output', 'json', *{arguments}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    line = "error: a defect of trainjobs: ValueError: first second (run again with --debug for the trace)\n"
    assert done.returncode == 1
    assert "Traceback" in done.stderr if arguments else done.stderr == line


def test_a_path_that_cannot_be_used_is_no_defect_of_ours(tmp_path: Path):
    (tmp_path / "file").write_text("")
    ended = _trainjobs("crds", "--output-dir", tmp_path / "file" / "below")
    assert ended.returncode == 2
    assert "cannot be used here" in ended.stderr
    assert "defect" not in ended.stderr


def test_the_version_is_the_packages_own():
    from importlib.metadata import version

    assert _trainjobs("--version").stdout == f"trainjobs {version('trainjobs')}\n"


def test_importing_trainjobs_loads_nothing_that_takes_time():
    loaded = _python(
        "import sys, trainjobs; print([m for m in ('torch', 'pydantic', 'yaml') if m in sys.modules])"
    )
    assert loaded == "[]\n"


def test_the_public_names_are_what_they_say():
    import trainjobs
    from trainjobs.cli.manifests import validate

    assert trainjobs.validate is validate
    assert set(trainjobs.__all__) <= set(dir(trainjobs))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = trainjobs.nothing
