"""The report in one sentence."""

from collections.abc import Sequence

from trainjobs.core.diagnosis import Finding
from trainjobs.ml.evaluation.families.protocol import Verdict
from trainjobs.ml.evaluation.families.registry import family_of
from trainjobs.ml.evaluation.run_files import RunFiles
from trainjobs.ml.evaluation.thresholds import missed


def judge(files: RunFiles, findings: Sequence[Finding]) -> Verdict:
    """Say in one sentence what came of the training."""
    if files.failure is not None:
        return Verdict("Poor", "Failed", f"{files.failure.reason}: {files.failure.message}")
    result = files.result
    if result is None:
        return Verdict("Open", "Not evaluated", "No row was held out, so nothing can be said of this model.")
    if message := missed(result.thresholds, list(result.metrics)):
        return Verdict("Poor", "Threshold missed", message.removeprefix("evaluation.thresholds: ") + ".")
    critical = [finding for finding in findings if finding.severity == "Critical"]
    if critical:
        return Verdict("Poor", "Not usable", critical[0].message[:1].upper() + critical[0].message[1:] + ".")
    return family_of(result).verdict(result, findings)
