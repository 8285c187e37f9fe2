"""What reports are made of: the HTML page, plots as SVG, colours, and intervals by the bootstrap.

May import no other room.
"""
