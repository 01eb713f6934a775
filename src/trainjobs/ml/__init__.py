"""Learning: data, models, training, evaluation and scoring. The only part that imports torch."""
