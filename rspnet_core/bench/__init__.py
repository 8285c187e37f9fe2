"""What only measures: a training step beside a plain transcription of Algorithm 1.

May import: models, video, pretext, training.
"""
