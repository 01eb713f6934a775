"""The decisions of trainjobs: pure functions, no I/O, no clock; time is a parameter."""
