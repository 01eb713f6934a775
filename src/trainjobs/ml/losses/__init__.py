"""Losses: pure functions on tensors, summed over the items of a batch."""
