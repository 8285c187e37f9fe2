"""Why two videos match: the best pair of their clips with both heads' maps, as figures, a sheet or a film.

May import no other room.
"""
