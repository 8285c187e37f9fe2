"""The paper's retrieval protocol: ranking, scores, baselines, and the report of them.

May import: retrieval, ingest, catalogue.
"""
