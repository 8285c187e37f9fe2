"""The pretext tasks of section 3.2, their joint objective, their training and how well they are solved.

May import: models, weights, video, training, and recognition (a run watches retrieval by frozen features).
"""
