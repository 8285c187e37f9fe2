"""What only measures: a training step beside a plain transcription of Algorithm 1, and what encodes in each form.

May import: models, video, inference, pretext, training.
"""
