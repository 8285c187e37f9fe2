"""From a file that nobody trusts to frames: probe, readers, and the child processes in which they run.

May import: ``video.sampling``, ``video.making``.
"""
