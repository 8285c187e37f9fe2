"""What pre-training and fine-tuning share: the loop, its schedule, its state on disk and its figures."""
