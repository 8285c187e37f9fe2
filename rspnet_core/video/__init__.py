"""Video: reading it, clips of it, data sets of it, making it. The only package that imports decord and PyAV.

Its rooms are ``reading``, ``clips``, ``datasets`` and ``making``; ``sampling``, index arithmetic, lies below.
"""
