"""Layouts of rows: one module each, from a line of a file to what a model reads."""
