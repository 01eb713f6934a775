"""Real parts for tests: built once, started for a test, stopped by their own process id."""
