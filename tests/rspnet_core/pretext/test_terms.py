"""Terms of Eq. 1 come together whatever they are."""

import pytest
import torch

from rspnet_core.pretext.terms import Term, speed_prediction, weighted_sum


def test_a_term_of_ones_own_joins_the_others_by_its_name_and_weight() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0]], requires_grad=True)
    own = Term(torch.tensor(3.0), {"order_accuracy": torch.tensor(0.5)})
    terms = {"sp": speed_prediction(logits, torch.tensor([0, 0])), "order": own}
    loss, figures = weighted_sum(terms, {"sp": 1.0, "order": 0.5})
    assert loss.item() == pytest.approx(terms["sp"].loss.item() + 1.5)
    assert [*figures] == ["sp_accuracy", "order_accuracy", "sp_loss", "order_loss"]
    assert not any(figure.requires_grad for figure in figures.values())
