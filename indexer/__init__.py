"""The video library: pooling, catalogue, FAISS index, search and retrieval reports."""
