"""Colours of pictures that are read on paper: ink, muted ink, and the paper itself, as CSS writes them."""

INK, MUTED, PAPER = "#1c2024", "#60646c", "#ffffff"
