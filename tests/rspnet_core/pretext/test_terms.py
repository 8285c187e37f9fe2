"""Terms of Eq. 1 come together whatever they are."""

import pytest
import torch

from rspnet_core.pretext.terms import Term, ranking_accuracies, speed_prediction, weighted_sum


def test_a_term_of_ones_own_joins_the_others_by_its_name_and_weight() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0]], requires_grad=True)
    own = Term(torch.tensor(3.0), {"order_accuracy": torch.tensor(0.5)})
    terms = {"sp": speed_prediction(logits, torch.tensor([0, 0])), "order": own}
    loss, figures = weighted_sum(terms, {"sp": 1.0, "order": 0.5})
    assert loss.item() == pytest.approx(terms["sp"].loss.item() + 1.5)
    assert [*figures] == ["sp_accuracy", "order_accuracy", "sp_loss", "order_loss"]
    assert not any(figure.requires_grad for figure in figures.values())


def test_ranking_is_told_by_the_speed_of_the_anchor() -> None:
    is_right = torch.tensor([True, False, True, True, False])
    is_fast = torch.tensor([False, False, True, True, True])
    told = {name: value.item() for name, value in ranking_accuracies(is_right, is_fast).items()}
    assert told == pytest.approx({"rsp_accuracy": 3 / 5, "rsp_slow_accuracy": 1 / 2, "rsp_fast_accuracy": 2 / 3})
    counts = torch.tensor([False, False, True, True, True])  # no triplet with a slow anchor is left
    told = {name: value.item() for name, value in ranking_accuracies(is_right, is_fast, counts).items()}
    assert told == pytest.approx({"rsp_accuracy": 2 / 3, "rsp_slow_accuracy": 2 / 3, "rsp_fast_accuracy": 2 / 3})
