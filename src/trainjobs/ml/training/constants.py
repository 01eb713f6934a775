"""Files that every checkpoint of a run carries alike: tokenizer, configuration, how to score, which data."""

import shutil
from pathlib import Path

from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from trainjobs.ml.data.record import DATA_RECORD
from trainjobs.ml.modeling.adapters import Model
from trainjobs.ml.objectives.protocol import Objective
from trainjobs.ml.training.files import write_record
from trainjobs.ml.training.session import Session

_FOLDER = ".constants"


def write_constants(
    session: Session, model: Model, tokenizer: PreTrainedTokenizerBase, objective: Objective
) -> Path:
    """Write them aside once, from the leading process, and return their folder."""
    folder = session.output / _FOLDER
    if not session.leads:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(str(folder))
    objective.card.save(folder)
    write_record(folder / DATA_RECORD, objective.data.record)
    if isinstance(model, PeftModel):
        model.peft_config["default"].save_pretrained(str(folder))
    else:
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(str(folder))
    return folder
