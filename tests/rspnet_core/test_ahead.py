"""What is asked for ahead: in order, so many ahead, and no more than are wanted."""

import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rspnet_core.ahead import asked_ahead


@given(count=st.integers(0, 12), num=st.integers(0, 5), taken=st.integers(0, 12))
def test_answers_come_in_order_and_so_many_are_asked_for_by_then(count: int, num: int, taken: int) -> None:
    asked: list[int] = []

    def ask(item: int) -> str:
        asked.append(item)
        return f"answer {item}"

    answers = asked_ahead(range(count), ask, num)
    for place, (item, answer) in zip(range(taken), answers, strict=False):
        assert (item, answer) == (place, f"answer {place}")
        assert asked == list(range(min(place + 1 + num, count)))
    assert len(asked) == (min(taken + num, count) if taken else 0)


def test_an_answer_that_was_taken_is_let_go() -> None:
    class Large:
        pass

    answers = asked_ahead(range(3), lambda item: Large(), 2)
    first = weakref.ref(next(answers)[1])
    assert first() is None
    assert [item for item, _ in answers] == [1, 2]


def test_a_failure_to_ask_is_not_kept_back() -> None:
    def ask(item: int) -> int:
        if item == 2:
            raise OSError("no more")
        return item

    answers = asked_ahead(range(9), ask, 1)
    assert next(answers) == (0, 0)
    with pytest.raises(OSError, match="no more"):
        next(answers)
