"""Named scores, predicted against true."""
