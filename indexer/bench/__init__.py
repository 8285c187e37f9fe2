"""What only measures: builds and searches beside the plainest code that does the same.

May import all rooms of the indexer but ``cli`` and ``heatmap``.
"""
