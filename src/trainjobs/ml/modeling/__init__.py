"""Models: building, loading and saving them."""
