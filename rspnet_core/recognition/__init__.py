"""Action recognition: labelled videos, the layer of classes, its training, and how well it does."""
