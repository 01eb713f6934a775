"""Families of figures: what one family of objectives measures, compares and shows. No torch here."""
