from indexer.ingest.pooling import Layout


def test_layout_of_an_encoder_without_heads_is_the_backbone_alone() -> None:
    layout = Layout({"backbone": 4})
    assert (layout.size, layout.slices()) == (4, {"backbone": slice(0, 4)})
