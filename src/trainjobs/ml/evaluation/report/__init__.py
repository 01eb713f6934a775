"""The report of a run: report.md and a self-contained report.html, rendered from the run's files alone."""
