"""The paper's losses, under the name that other people's programs import."""

from rspnet_core.pretext.losses import avid_info_nce_loss, rsp_triplet_loss

__all__ = ["avid_info_nce_loss", "rsp_triplet_loss"]
