"""The tiny reward model, made once."""

from pathlib import Path

import pytest

from tests.training.scoring.tiny_reward_model import make_reward_model
from trainjobs.ml.scoring import RewardModel


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_reward_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def model(model_folder: Path) -> RewardModel:
    return RewardModel.load(model_folder, device="cpu")
