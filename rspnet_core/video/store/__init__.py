"""Videos decoded once: small frames of many videos in few files, held in memory (a GPU's too), cut by index.

May import: ``video.reading``, ``video.making`` (to write). Opening a store needs neither PyAV nor decord.
"""
