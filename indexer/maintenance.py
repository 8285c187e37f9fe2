"""Looking after a library: verify, repair, remove. The catalogue is the truth, the FAISS files follow from it."""
