"""Weights on disk, under the name that other people's programs import."""

from rspnet_core.weights.checkpoint import describe, load_checkpoint, load_model, save_checkpoint
from rspnet_core.weights.sources import load_encoder

__all__ = ["describe", "load_checkpoint", "load_encoder", "load_model", "save_checkpoint"]
