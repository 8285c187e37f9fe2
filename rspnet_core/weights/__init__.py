"""Weights: files of ours, the authors' checkpoints, downloads, and every source that a user may name.

May import: models.
"""
