"""How good a model is: figures with intervals beside baselines, and the report that shows them.

Everything here but `final` works on files and arrays and imports no torch.
"""
