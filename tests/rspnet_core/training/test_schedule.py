"""Learning rates over a run, beside slow readings of the rules."""

import math

import pytest

from rspnet_core.training import schedule as schedules
from rspnet_core.training.schedule import CosineSchedule, StepSchedule, TimedCosine


def test_the_cosine_falls_from_the_peak_to_its_end() -> None:
    schedule = CosineSchedule(peak=0.1, final_fraction=0.01, num_steps=50, warmup_steps=10)
    assert [schedule.rate_at(step) for step in range(10)] == pytest.approx([0.01 * (step + 1) for step in range(10)])
    for step in range(10, 50):
        part = 0.5 * (1 + math.cos(math.pi * (step - 10) / 40))
        assert schedule.rate_at(step) == pytest.approx(0.1 * (0.01 + 0.99 * part))


def test_steps_multiply_the_rate_at_each_milestone() -> None:
    schedule = StepSchedule(peak=0.01, factor=0.1, milestones=(20, 40), num_steps=50, warmup_steps=2)
    assert [schedule.rate_at(step) for step in (0, 1)] == pytest.approx([0.005, 0.01])
    for step in range(2, 50):
        expected = 0.01 if step < 20 else 0.001 if step < 40 else 0.0001
        assert schedule.rate_at(step) == pytest.approx(expected)


def test_a_run_by_the_clock_follows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(schedules.time, "monotonic", lambda: now[0])
    clock = TimedCosine(peak=1.0, final_fraction=0.01, minutes=2, warmup_steps=4)
    assert (clock.progress(0), clock.rate_at(0), clock.rate_at(3)) == (0, 0.25, 1.0)
    now[0] += 60
    assert clock.progress(7) == 0.5
    assert clock.rate_at(7) == pytest.approx(0.505)
    now[0] += 600
    assert (clock.progress(8), clock.rate_at(8)) == (1.0, pytest.approx(0.01))
    resumed = TimedCosine(peak=1.0, final_fraction=0.01, minutes=2, spent_seconds=90)
    assert resumed.progress(0) == 0.75


def test_processes_agree_on_the_time_once_a_step() -> None:
    asked: list[float] = []
    clock = TimedCosine(peak=1.0, final_fraction=0.01, minutes=2, agree=lambda own: asked.append(own) or 60.0)
    assert [clock.progress(0), clock.rate_at(0), clock.progress(0)] == [0.5, pytest.approx(0.505), 0.5]
    assert clock.progress(1) == 0.5
    assert len(asked) == 2
