"""How the network of an encoder runs where nothing is trained: the fastest form that computes the same.

May import ``models``.
"""
