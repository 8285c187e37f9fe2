"""Making videos: synthetic scenes whose motion is known, and the encoder of H.264 files.

May import no other room.
"""
