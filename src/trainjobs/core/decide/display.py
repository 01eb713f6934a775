"""Strings for kubectl's columns: floats and times print badly there."""

from trainjobs.api.status import BestMetric, Display, RunStatus


def display(status: RunStatus) -> Display:
    """The columns of a status."""
    progress, checkpoint = status.progress, status.checkpoints.latest
    loss = status.metrics.latest.get("loss")
    return Display(
        progress=f"{progress.percent}%" if progress else "",
        step=f"{progress.step}/{progress.total_steps}" if progress else "",
        loss="" if loss is None else f"{loss:.4g}",
        eta="" if progress is None or progress.eta_seconds is None else duration(progress.eta_seconds),
        best=_best(status.metrics.best),
        checkpoint=str(checkpoint.step) if checkpoint else "",
    )


def duration(seconds: int) -> str:
    """A length of time as kubectl writes ages: its two largest units."""
    minutes, second = divmod(max(0, seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    units = ((days, "d"), (hour, "h"), (minute, "m"), (second, "s"))
    first = next((index for index, (count, _) in enumerate(units) if count), len(units) - 1)
    return "".join(f"{count}{unit}" for count, unit in units[first : first + 2] if count) or "0s"


def _best(best: BestMetric | None) -> str:
    return f"{best.name}={best.value:.4g}" if best else ""
