"""Several steps of training beside Algorithm 1 in numpy; the figures, the masks and the processes of the objective."""

import copy
from collections import deque
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.models import create_model
from rspnet_core.models.two_head import TwoHeadModel
from rspnet_core.pretext.objective import RSPNetObjective
from rspnet_core.pretext.recipe import PretrainRecipe
from tests.rspnet_core.pretext.triplets import Triplets

pytestmark = pytest.mark.usefixtures("thin_networks")
VIDEOS = 4
K = 6
Floats = NDArray[np.float64]


def batch(seed: int, ids: tuple[int, ...] = (3, 1, 4, 5), *, of_vid: bool = False) -> Triplets:
    generator = torch.Generator().manual_seed(seed)
    is_other = torch.rand(len(ids), generator=generator) < 0.5
    return Triplets(
        *torch.randn(3, len(ids), 3, 2, 32, 32, generator=generator),
        anchor_speeds=torch.randint(0, 2, (len(ids),), generator=generator),
        positive_is_other=torch.zeros_like(is_other) if of_vid else is_other,
        video_ids=torch.tensor(ids),
    )


def objective(**values: object) -> RSPNetObjective:
    torch.manual_seed(0)
    recipe = PretrainRecipe.model_validate({"backbone": "tsm18", "queue_size": K, "momentum": 0.75, **values})
    model = create_model("tsm18", seed=0)
    assert isinstance(model, TwoHeadModel)
    made = RSPNetObjective(model, recipe)
    made.start(batch(100).batch)
    return made


def filled(**values: object) -> RSPNetObjective:
    """With a full queue: two keys of each of the videos 3, 8 and 9."""
    made = objective(**values)
    keys = torch.nn.functional.normalize(torch.randn(K, 128, generator=torch.Generator().manual_seed(5)), dim=1)
    made.queue.put(keys, torch.tensor([3, 8, 9, 3, 8, 9]))
    return made


def doubles(values: Tensor) -> Floats:
    return values.detach().double().numpy()


class Algorithm1:
    """The method with nothing of it batched: its own key encoder, a deque as the queue, a loop over videos."""

    def __init__(self, made: RSPNetObjective) -> None:
        self.recipe = made.recipe
        self.keys = copy.deepcopy(made.keys)
        self.queue = deque[tuple[int, Floats]](maxlen=K)
        self.figures: dict[str, float] = {}

    def loss(self, query: torch.nn.Module, clips: Triplets) -> float:
        query, recipe, count = copy.deepcopy(query).train(), self.recipe, len(clips.video_ids)
        all_pass = "rsp" in recipe.objectives and recipe.rsp_gradients == "all"
        if all_pass:
            motion, appearance, logits = query(torch.cat([clips.anchor, clips.same_speed, clips.other_speed]))
        else:
            motion, appearance, logits = query(clips.anchor)
        m, a = doubles(motion), doubles(appearance)
        singles = [
            [self.keys(part[row : row + 1]) for row in range(count)] for part in (clips.same_speed, clips.other_speed)
        ]
        a_j, a_k = ([doubles(out.appearance)[0] for out in part] for part in singles)
        m_j, m_k = ([doubles(out.motion)[0] for out in part] for part in singles)
        if all_pass:
            m_j, m_k = list(m[count : 2 * count]), list(m[2 * count :])
        rows = []
        right: dict[str, list[bool]] = {"rsp_accuracy": [], "avid_top1": [], "avid_top5": [], "sp_accuracy": []}
        for row in range(count):
            total = 0.0
            if "rsp" in recipe.objectives:
                p_plus, p_minus = m[row] @ m_j[row], m[row] @ m_k[row]
                total += max(0.0, recipe.margin - (p_plus - p_minus) / recipe.rsp_temperature)
                right["rsp_accuracy"].append(p_plus > p_minus)
            if "sp" in recipe.objectives:
                scores = doubles(logits[row])
                wanted = int(clips.anchor_speeds[row])
                total -= float(np.log(np.exp(scores[wanted]) / np.exp(scores).sum()))
                right["sp_accuracy"].append(int(scores.argmax()) == wanted)
            if recipe.appearance_objective is not None:
                others = [key for video, key in self.queue if video != int(clips.video_ids[row])]
                positive_is_other = bool(clips.positive_is_other[row])
                chosen = [a_k[row] if positive_is_other else a_j[row]]
                for positive in [a_j[row], a_k[row]] if recipe.positives == "both" else chosen:
                    q_plus = np.exp(a[row] @ positive / recipe.temperature)
                    q_minus = [np.exp(a[row] @ key / recipe.temperature) for key in others]
                    total += recipe.appearance_weight * float(-np.log(q_plus / (q_plus + sum(q_minus))))
                    better = sum(q >= q_plus for q in q_minus)
                right["avid_top1"].append(better < 1)
                right["avid_top5"].append(better < 5)
            rows.append(total)
        self.figures = {name: float(np.mean(values)) for name, values in right.items() if values}
        if recipe.appearance_objective is not None:
            takes_other = [recipe.positives == "both" or bool(other) for other in clips.positive_is_other]
            keys = [a_k[row] if takes_other[row] else a_j[row] for row in range(count)]
            self.pending = list(zip(clips.video_ids.tolist(), keys, strict=True))
        return float(np.mean(rows))

    def after_step(self, model: torch.nn.Module) -> None:
        with torch.no_grad():
            theirs = model.state_dict()
            for name, values in self.keys.state_dict().items():
                if values.is_floating_point():
                    values.copy_(self.recipe.momentum * values + (1 - self.recipe.momentum) * theirs[name])
        self.queue.extend(getattr(self, "pending", []))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"objectives": ["rsp"]},
        {"objectives": ["avid"], "appearance_weight": 0.3},
        {"objectives": ["vid"]},
        {"objectives": ["sp"]},
        {"objectives": ["rsp", "vid"], "rsp_gradients": "anchor"},
        {"objectives": ["sp", "avid"], "temperature": 0.2},
        {"objectives": ["rsp", "avid", "sp"], "margin": 0.5, "rsp_temperature": 0.5},
        {"release": True},
        {"release": True, "rsp_gradients": "all"},
    ],
    ids=str,
)
def test_training_follows_algorithm_1_step_by_step(values: dict[str, object]) -> None:
    made = objective(**values)
    oracle = Algorithm1(made)
    ids = [(0, 1, 2, 3), (4, 0, 5), (2, 1, 6, 0)]  # videos come back while their keys are held; one batch is smaller
    for step, videos in enumerate(ids):
        clips = batch(step, videos, of_vid=made.recipe.appearance_objective == "vid")
        expected = oracle.loss(made.query, clips)
        outcome = made.loss(clips.batch, made.query)
        loss, figures = outcome.loss, outcome.figures
        assert loss.item() == pytest.approx(expected, rel=2e-4, abs=2e-4), step
        for name, value in oracle.figures.items():
            assert figures[name].item() == pytest.approx(value), (step, name)
        parts = {name: made.recipe.weight_of(name) * figures[f"{name}_loss"].item() for name in made.recipe.objectives}
        assert sum(parts.values()) == pytest.approx(loss.item(), rel=1e-5)
        parameters = [parameter for parameter in made.trained.parameters() if parameter.requires_grad]
        with torch.no_grad():
            for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                parameter.sub_(0.02 * gradient)
        made.after_step(outcome)
        oracle.after_step(made.query.model)
    held, held_ids = made.queue.negatives()
    mine = sorted(zip(held_ids.tolist(), held.tolist(), strict=True))
    wanted = sorted((video, key.tolist()) for video, key in oracle.queue)
    assert [video for video, _ in mine] == [video for video, _ in wanted]
    for (_, got), (_, key) in zip(mine, wanted, strict=True):
        np.testing.assert_allclose(got, key, atol=1e-3)


def test_what_a_key_of_the_own_video_holds_changes_neither_loss_nor_gradient() -> None:
    results = []
    for content in (torch.zeros(128), torch.ones(128) / 128**0.5):
        made = filled(objectives=["avid"])
        made.queue.keys[[1, 4]] = content  # of video 8
        loss = made.loss(batch(1, (8, 8, 8)).batch, made.query).loss
        loss.backward()
        results.append((loss.item(), [parameter.grad for parameter in made.query.model.backbone.parameters()]))
    assert results[0][0] == results[1][0]
    assert all(one.equal(other) for one, other in zip(results[0][1], results[1][1], strict=True))


def test_keys_of_other_videos_do_change_the_loss() -> None:
    losses = []
    for content in (torch.zeros(128), torch.ones(128) / 128**0.5):
        made = filled(objectives=["avid"], temperature=1)
        made.queue.keys[[1, 4]] = content
        losses.append(made.loss(batch(1, (3, 9, 3)).batch, made.query).loss.item())
    assert losses[0] != pytest.approx(losses[1], abs=1e-4)


def test_with_an_empty_queue_instance_discrimination_costs_nothing() -> None:
    made = objective(objectives=["avid"])
    outcome = made.loss(batch(1).batch, made.query)
    outcome.loss.backward()
    assert outcome.loss.item() == 0
    assert outcome.figures["avid_top1"] == outcome.figures["avid_top5"] == 1
    assert "queue_similarity" not in outcome.figures
    assert not any(parameter.grad.any() for parameter in made.query.model.backbone.parameters())


def test_a_collapsed_encoder_scores_0() -> None:
    made = filled(objectives=["rsp", "avid"], rsp_gradients="anchor")
    one = torch.nn.functional.normalize(torch.ones(1, 128), dim=1)
    made.queue.keys[:] = one
    for model in (made.query.model, made.keys):
        for head in (model.motion_head, model.appearance_head):
            torch.nn.init.zeros_(head.weight)
            torch.nn.init.ones_(head.bias)
    figures = made.loss(batch(1, (0, 1, 2)).batch, made.query).figures
    assert figures["rsp_accuracy"] == figures["avid_top1"] == figures["avid_top5"] == 0
    assert figures["motion_std"] == pytest.approx(0, abs=1e-5)
    assert figures["appearance_std"] == pytest.approx(0, abs=1e-5)
    assert figures["queue_similarity"] == pytest.approx(1, abs=1e-5)


def test_spread_figures_are_the_standard_deviation_over_the_batch() -> None:
    made = filled(rsp_gradients="anchor")
    motion, appearance, _ = made.query(batch(1).anchor)
    figures = made.loss(batch(1).batch, made.query).figures
    for name, vectors in (("motion_std", motion), ("appearance_std", appearance)):
        assert figures[name].item() == pytest.approx(doubles(vectors).std(axis=0, ddof=1).mean() * 128**0.5, rel=1e-4)
    similarity = (doubles(appearance) @ doubles(made.queue.keys).T).mean()
    assert figures["queue_similarity"].item() == pytest.approx(similarity, abs=1e-5)


@pytest.mark.parametrize(
    ("values", "reached"),
    [
        ({"rsp_gradients": "all", "objectives": ["rsp"]}, (True, True, True)),
        ({"rsp_gradients": "anchor", "objectives": ["rsp"]}, (True, False, False)),
        ({"objectives": ["avid"], "rsp_gradients": "anchor"}, (True, False, False)),
        ({"release": True}, (True, False, False)),
    ],
    ids=str,
)
def test_gradients_reach_the_clips_of_the_query_encoder_alone(
    values: dict[str, object], reached: tuple[bool, ...]
) -> None:
    made = filled(**values)
    made.query.eval()  # in training batch norms pass gradients between clips
    clips = batch(1)
    parts = [part.clone().requires_grad_() for part in (clips.anchor, clips.same_speed, clips.other_speed)]
    outcome = made.loss(replace(clips, anchor=parts[0], same_speed=parts[1], other_speed=parts[2]).batch, made.query)
    outcome.loss.backward()
    assert tuple(part.grad is not None and bool(part.grad.any()) for part in parts) == reached
    assert all(parameter.grad is None for parameter in made.keys.parameters())
    assert not any(figure.requires_grad for figure in outcome.figures.values())


@pytest.mark.parametrize(
    ("objectives", "idle"),
    [(["rsp"], "appearance_head"), (["avid"], "motion_head"), (["sp", "avid"], "motion_head")],
)
def test_the_head_without_an_objective_takes_no_gradient(objectives: list[str], idle: str) -> None:
    made = filled(objectives=objectives)
    made.loss(batch(1).batch, made.query).loss.backward()
    for name, parameter in made.query.model.named_parameters():
        moved = parameter.grad is not None and bool(parameter.grad.any())
        assert moved is not name.startswith(idle), name


def test_a_weight_of_0_leaves_the_other_objective_as_it_is() -> None:
    alone, weighted = filled(objectives=["rsp"]), filled(appearance_weight=0)
    assert weighted.loss(batch(1).batch, weighted.query).loss.item() == pytest.approx(
        alone.loss(batch(1).batch, alone.query).loss.item()
    )


@pytest.mark.parametrize("objectives", [["rsp"], ["sp"], ["rsp", "sp"]])
def test_without_instance_discrimination_the_queue_stays_empty(objectives: list[str]) -> None:
    made = objective(objectives=objectives)
    made.after_step(made.loss(batch(1).batch, made.query))
    assert int(made.queue.written) == 0


def test_a_step_puts_the_keys_of_its_own_outcome_in_the_queue() -> None:
    made = objective()
    outcome = made.loss(batch(1).batch, made.query)
    made.loss(batch(2, (7, 8, 9, 6)).batch, made.query)  # of a batch that no step is taken on
    assert int(made.queue.written) == 0
    made.after_step(outcome)
    assert made.queue.negatives()[1].tolist() == [3, 1, 4, 5]


def test_keys_of_all_processes_go_into_the_queue_in_the_order_of_ranks() -> None:
    made = objective(objectives=["avid"], queue_size=20)
    made.gather = lambda values: torch.cat([values, -values])  # another process whose values are the negatives
    made.after_step(made.loss(batch(1).batch, made.query))
    keys, ids = made.queue.negatives()
    assert ids.tolist() == [3, 1, 4, 5, -3, -1, -4, -5]
    assert keys[VIDEOS:].equal(-keys[:VIDEOS])


def test_the_loss_moves_running_statistics_of_the_query_encoder_and_not_of_the_keys() -> None:
    made = objective()
    before = [copy.deepcopy(module.state_dict()) for module in (made.query.model, made.keys)]
    made.loss(batch(1).batch, made.query)
    name = "backbone.bn1.running_mean"
    assert not made.query.model.state_dict()[name].equal(before[0][name])
    assert all(values.equal(before[1][key]) for key, values in made.keys.state_dict().items())


def test_a_run_starts_with_equal_encoders_that_know_real_clips() -> None:
    made = objective()
    ours, theirs = made.keys.state_dict(), made.query.model.state_dict()
    assert all(values.equal(theirs[name]) for name, values in ours.items() if values.is_floating_point())
    maps = made.keys.backbone.conv1(batch(100).anchor.transpose(1, 2).flatten(0, 1))
    assert torch.allclose(ours["backbone.bn1.running_mean"], maps.mean(dim=(0, 2, 3)), atol=1e-5)
    assert made.query.training
    assert not made.keys.training


def test_the_state_of_all_modules_makes_another_objective_go_on_alike() -> None:
    one, other = filled(objectives=["rsp", "avid", "sp"]), objective(objectives=["rsp", "avid", "sp"])
    one.after_step(one.loss(batch(1).batch, one.query))
    for name, module in one.modules.items():
        other.modules[name].load_state_dict(copy.deepcopy(module.state_dict()))
    assert one.loss(batch(2).batch, one.query).loss.equal(other.loss(batch(2).batch, other.query).loss)


@pytest.mark.parametrize(
    ("values", "clips_a_video"),
    [
        ({"objectives": ["rsp"], "rsp_gradients": "all"}, 0),
        ({"objectives": ["sp"]}, 0),
        ({"objectives": ["avid"]}, 1),
        ({"objectives": ["rsp"], "rsp_gradients": "anchor"}, 2),
        ({"objectives": ["avid"], "positives": "both"}, 2),
    ],
    ids=str,
)
def test_keys_are_made_of_the_clips_that_an_objective_asks_for(values: dict[str, object], clips_a_video: int) -> None:
    made = filled(**values)
    seen: list[int] = []
    made.keys.register_forward_hook(lambda model, inputs, output: seen.append(len(inputs[0])))
    made.loss(batch(1).batch, made.query)
    assert sum(seen) == clips_a_video * VIDEOS
