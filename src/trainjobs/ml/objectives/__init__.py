"""What can be trained: for each task its rows, model, loss, figures and evaluation; no engine here."""
