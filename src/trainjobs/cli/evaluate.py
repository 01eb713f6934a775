"""`trainjobs evaluate`: the figures of a trained reward model on a data file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trainjobs.cli.console import print_json
from trainjobs.cli.learning import ModelTarget, need_torch, print_evaluation
from trainjobs.cli.targets import check_target

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def evaluate(
    model: ModelTarget,
    data: Annotated[Path, typer.Option("--data", help="Rows with scores: a JSONL file or a folder.")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="text, json, or a file to write the results to.")
    ] = "text",
    predictions: Annotated[
        Path | None, typer.Option("--predictions", help="Write every row's scores to this JSONL file.")
    ] = None,
    train: Annotated[
        Path | None, typer.Option("--train", help="Training rows for the baselines, if the model has none.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts per forward pass.")] = 32,
    bootstrap_samples: Annotated[
        int, typer.Option(min=0, max=100_000, help="Resamples behind each interval; 0 leaves them out.")
    ] = 1000,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Coverage of the intervals.")] = 0.95,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")] = "auto",
) -> None:
    """Evaluate a trained reward model: MSE, MAE, RMSE, Pearson and Spearman, beside what they have to beat.

    \b
    trainjobs evaluate runs/rewardmodelrun/review-ratings --data test.jsonl
    trainjobs evaluate runs/rewardmodelrun/review-ratings --data test.jsonl --output results.json
    """
    need_torch()
    results = None if output in ("text", "json") else Path(output)
    check_target("--output", results, [data, train])
    check_target("--predictions", predictions, [data, train, results])
    from trainjobs.cli.local_copies import at_hand
    from trainjobs.ml.silence import silence

    folder = at_hand(model, "model")
    silence()
    from trainjobs.api.evaluation import Evaluation
    from trainjobs.ml.evaluation.on_file import evaluate_on_file
    from trainjobs.ml.evaluation.results import write_predictions, write_result

    # Shown on a terminal only.
    with Console(stderr=True).status(f"Scoring {data}"):
        result, rows = evaluate_on_file(
            folder,
            data,
            named=model,
            train=train,
            settings=Evaluation(bootstrap_samples=bootstrap_samples, confidence=confidence),
            batch_size=batch_size,
            device=device,
        )
    if predictions is not None:
        write_predictions(predictions, rows)
    if output == "json":
        print_json(result.model_dump(mode="json"))
        return
    if results is not None:
        write_result(results, result)
    print_evaluation(Console(), result)
