"""A figure that nothing measures is refused by its field, with the one that was meant."""

import pytest

from tests.unit.core.plan.builders import PLATFORM, a_run
from trainjobs.core.figures.asked import unmeasured
from trainjobs.core.recipe.resolve import resolve
from trainjobs.errors import InvalidRecipe

TWO = {"type": "Regression", "regression": {"dimensions": [{"name": "accuracy"}, {"name": "depth"}]}}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"checkpoints": {"keepBest": {"metric": "eval_pearsn"}}},
            "spec.checkpoints.keepBest.metric: eval_pearsn is not measured; did you mean eval_pearson? "
            "Measured are eval_loss, eval_pearson, ",
        ),
        (
            {"checkpoints": {"keepBest": {"metric": "eval_acuracy_pearson"}}},
            "spec.checkpoints.keepBest.metric: eval_acuracy_pearson is not measured; "
            "did you mean eval_accuracy_pearson?",
        ),
        (
            {"checkpoints": {"keepBest": {"metric": "wer"}}},
            "spec.checkpoints.keepBest.metric: wer is not measured; measured are eval_loss, ",
        ),
        (
            {
                "evaluation": {
                    "thresholds": [{"metric": "overall.mae", "maximum": 1}, {"metric": "Depth.MAE"}]
                }
            },
            "spec.evaluation.thresholds[1].metric: Depth.MAE is not measured; did you mean depth.mae?",
        ),
    ],
)
def test_a_misspelt_figure_is_refused_before_a_recipe_is_made_of_it(spec, said):
    run = a_run(objective=TWO, **spec)

    assert [f"{field}: {words}".startswith(said) for field, words in unmeasured(run)] == [True]
    with pytest.raises(InvalidRecipe) as refused:
        resolve(run, PLATFORM)
    assert str(refused.value).startswith(said)


def test_a_script_measures_what_it_likes():
    best = {"keepBest": {"metric": "eval_wer", "direction": "Lower"}}
    run = a_run(runtime={"command": ["train.py"]}, checkpoints=best)

    assert list(unmeasured(run)) == []
    assert resolve(run, PLATFORM).checkpoints.keep_best.metric == "eval_wer"
