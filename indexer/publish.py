"""The FAISS index as a function of the catalogue: read all vectors, write one generation, switch to it."""

from pathlib import Path

from indexer import generations
from indexer.catalogue import Catalogue
from indexer.vector_index import VectorIndex
