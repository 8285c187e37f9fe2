"""RSPNet: encoders, weights and video reading. Light on purpose: a decoding child process imports no PyTorch."""

__version__ = "0.1.0"
