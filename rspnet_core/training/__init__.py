"""What pre-training and fine-tuning share: the loop, its schedule, recipes, its state on disk and its figures.

May import: models, weights, video, reports.
"""
