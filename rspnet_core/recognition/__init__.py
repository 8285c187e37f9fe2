"""Action recognition: labelled videos, the layer of classes, its training, its scores and those of frozen features.

May import: models, weights, video, training, reports.
"""
