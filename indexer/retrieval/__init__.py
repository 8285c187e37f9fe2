"""A published library as a reader sees it: search, export, verify and repair.

May import: ingest, catalogue, index.
"""
