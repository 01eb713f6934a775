"""A user's own script: the Trainer of transformers on a tiny classifier. It knows nothing of trainjobs."""

import argparse

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed

parser = argparse.ArgumentParser()
parser.add_argument("--output_dir", required=True)
parser.add_argument("--resume_from_checkpoint", default="")
parser.add_argument("--max_steps", type=int, default=30)
given = parser.parse_args()

set_seed(7)
ids = torch.randint(5, 90, (256, 12))
labels = (ids[:, 0] > 47).long()
rows = [
    {"input_ids": i, "attention_mask": torch.ones_like(i), "labels": y}
    for i, y in zip(ids, labels, strict=True)
]
config = BertConfig(
    vocab_size=96, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
)
arguments = TrainingArguments(
    output_dir=given.output_dir,
    max_steps=given.max_steps,
    per_device_train_batch_size=8,
    learning_rate=1e-2,
    logging_steps=5,
    save_steps=10,
    use_cpu=True,
    disable_tqdm=True,
    enable_jit_checkpoint=True,
)
trainer = Trainer(BertForSequenceClassification(config), arguments, train_dataset=rows)
trainer.train(resume_from_checkpoint=given.resume_from_checkpoint or None)
trainer.save_model()
