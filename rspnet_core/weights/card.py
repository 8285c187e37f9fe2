"""The card of an encoder on a model hub: what it is, what it sees, how to use it."""

from rspnet_core.config import EncoderSpec
from rspnet_core.text import printable


def model_card(spec: EncoderSpec) -> str:
    """Markdown with the front matter that hubs read."""
    clips = spec.geometry
    rate = f"resampled to {clips.fps:g} frames a second" if clips.fps else "as recorded"
    heads = {"none": "none", "linear": "motion and appearance, linear", "mlp": "motion and appearance, two layers"}
    named = (
        f" --backbone {spec.backbone}" if ":" in spec.backbone and not spec.backbone.startswith("torchvision") else ""
    )
    classes = f"- Classes: {len(spec.classes)}\n" if spec.classes else ""
    text = f"""---
library_name: rspnet
pipeline_tag: video-classification
tags:
- video
- video-retrieval
- self-supervised-learning
---

# {spec.backbone}, {spec.source}

A video encoder for [rspnet](https://arxiv.org/abs/2011.07949): clips in, feature maps and unit vectors out.

- Backbone: {spec.backbone}
- Heads: {heads[spec.head]}
{classes}- Clips: {clips.num_clips} of {clips.frames_per_clip} frames at {clips.size} pixels, {rate}
- Weights: {spec.source}{" (untrained)" if spec.trained is False else ""}
- SHA-256 of the tensors: {spec.sha256}

```sh
rspnet-index build FOLDER_OF_VIDEOS --weights hf:USER/NAME{named}
```
"""
    return "\n".join(printable(line) for line in text.split("\n"))
