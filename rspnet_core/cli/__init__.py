"""``rspnet-train``, one file for each group of commands; ``command`` is how every program here begins and ends.

May import every room of rspnet_core.
"""
