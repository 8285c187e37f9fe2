"""Eq. 4, under the name that other people's programs import."""

from rspnet_core.explain.cam import similarity_activation_map

__all__ = ["similarity_activation_map"]
