"""Reading and writing video: the only package that imports decord and PyAV."""
