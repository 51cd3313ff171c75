"""Plain PyTorch: everything that a model's numbers depend on, and nothing else.

Functions and modules that import torch, numpy, polars and the standard library only. What stands here is
printed, definition by definition, into the script that a person owns.
"""
