"""The curves of a training, as the report shows them."""

from collections.abc import Iterator

from trainjobs.core.diagnosis.curves import SCORES_OF_GOODNESS
from trainjobs.ml.evaluation.report.blocks import Plot
from trainjobs.ml.evaluation.run_files import RunFiles


def curves_of(files: RunFiles) -> Iterator[Plot]:
    """Yield the curves that there are: losses, how good the model is, learning rate and gradient norm."""
    # Plots take a second to import; tables of figures do without.
    from trainjobs.ml.evaluation.report.plots import curve_plot

    known = {name for record in files.history for name in record.metrics}
    losses = [name for name in ("loss", "eval_loss") if name in known]
    if losses:
        yield Plot("Loss", curve_plot(files.history, losses, "loss of training and validation"))
    for name in SCORES_OF_GOODNESS:
        if name in known:
            title = name.removeprefix("eval_").title()
            yield Plot(
                f"{title} on validation rows", curve_plot(files.history, [name], f"{title} of validation")
            )
            break
    for name, title in (("learning_rate", "Learning rate"), ("grad_norm", "Gradient norm")):
        if name in known:
            yield Plot(title, curve_plot(files.history, [name], title))
