"""What a manifest puts around an agent does not take the place of its libraries."""

from tests.agent.launching import impostors


def test_an_agent_is_what_its_image_holds(bench):
    # The script needs none of these: what it is given by PYTHONPATH is its own affair.
    bench.folder = impostors(bench.root / "here", "trainjobs", "pydantic", "obstore", "boto3")
    bench.environment = {"PYTHONPATH": str(bench.folder), "PYTHONSTARTUP": str(bench.folder / "boto3.py")}

    finished = bench.run()

    assert finished.code == 0, finished.output
    assert finished.record.reason == "Succeeded"
