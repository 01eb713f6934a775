"""Rows of data files, as training and scoring read them. No torch here."""
