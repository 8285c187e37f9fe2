"""What the page works on: the library that is open, queries, ranking, explained pairs, builds. Thread-safe.

May import: serving (who asks, and the files they may see).
"""
