"""OpenVINO, a runtime that plans layouts and kernels for a whole network; CPUs only, needs ``rspnet[openvino]``."""

import threading
from typing import Any

import torch
from torch import Tensor

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.inference.int8 import Ranges, quantise
from rspnet_core.inference.long_kernels import with_long_kernels
from rspnet_core.inference.openvino_network import compiled, converted
from rspnet_core.inference.torch_backend import folded
from rspnet_core.models.backbone import Backbone


class OpenVinoBackend:
    """A traceable backbone, compiled for batches of any number of clips of one geometry."""

    def __init__(
        self,
        backbone: Backbone,
        geometry: ClipGeometry,
        normalisation: Normalisation,
        *,
        precision: torch.dtype,
        ranges: Ranges | None = None,
        streams: int = 1,
    ) -> None:
        """``backbone``, in eval mode and float32, is not changed.

        With ``ranges`` its convolutions compute in INT8, all else in ``precision``. As many threads as there are
        ``streams`` may call it at once. Raises InvalidSetting where the ranges are of another network.
        """
        form, is_float32 = folded(backbone), ranges is None and precision == torch.float32
        if is_float32:  # in fewer bits its mixtures would lose too much
            form = with_long_kernels(form)
        network = converted(form, geometry, normalisation)
        if ranges is not None:
            quantise(network, ranges)
        self._network: Any = compiled(network, precision, streams)
        self._at_once = torch.get_num_threads() if is_float32 else None
        """Clips; None for all that come. In float32 one keeps a thread busy, and more would only take more memory."""
        self._of_thread = threading.local()

    def __call__(self, clips: Tensor) -> Tensor:
        """Clips uint8 (B, T, size, size, 3), RGB, on the CPU -> feature map float32 (B, C, T', H', W')."""
        parts = torch.split(clips, self._at_once or max(1, len(clips)))
        return torch.cat([torch.from_numpy(self._request.infer(part.numpy(), share_inputs=True)[0]) for part in parts])

    @property
    def _request(self) -> Any:
        """The calling thread's own: a request holds the numbers of one call."""
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._network.create_infer_request()
        return self._of_thread.request
