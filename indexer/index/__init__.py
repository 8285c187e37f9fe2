"""Files of a library: where it lies, one writer at a time, generations, and the FAISS index in them.

The only room that imports FAISS. May import no other room.
"""
