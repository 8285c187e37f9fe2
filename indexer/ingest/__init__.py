"""From a folder of videos to a published library: plan, decode, encode, pool, commit, publish.

May import: catalogue, index.
"""
