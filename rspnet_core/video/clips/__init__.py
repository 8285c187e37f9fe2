"""Clips for learning: random ones loaded ahead, augmented on the device, and one row of numbers for each video.

May import: ``video.reading``.
"""
