"""Endpoints with stable names, for programs.

May import: page (how it speaks), session, serving.
"""
