"""Where a similarity comes from: the maps of Eq. 4, their regions, their drawing, and whether they are faithful.

May import: models, reports.
"""
