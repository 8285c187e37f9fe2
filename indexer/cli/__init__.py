"""``rspnet-index``, one file for each group of commands.

May import every room of indexer.
"""
