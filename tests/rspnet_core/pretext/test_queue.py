"""The queue against a plain Python list."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from rspnet_core.pretext.queue import KeyQueue


@given(size=st.integers(1, 12), batches=st.lists(st.integers(1, 30), max_size=8))
def test_the_queue_keeps_the_latest_keys_with_their_videos(size: int, batches: list[int]) -> None:
    queue, everything = KeyQueue(size), list[int]()
    for count in batches:
        ids = torch.arange(count) + len(everything)
        queue.put(ids[:, None].float().expand(-1, 128), ids)
        everything += ids.tolist()
        keys, video_ids = queue.negatives()
        assert sorted(video_ids.tolist()) == everything[-size:]
        assert keys[:, 0].long().equal(video_ids)


def test_a_queue_goes_on_from_its_saved_state() -> None:
    one, other = KeyQueue(5), KeyQueue(5)
    one.put(torch.ones(3, 128), torch.arange(3))
    other.load_state_dict(one.state_dict())
    for queue in (one, other):
        queue.put(torch.zeros(4, 128), torch.arange(10, 14))
    assert one.keys.equal(other.keys)
    assert sorted(other.negatives()[1].tolist()) == [2, 10, 11, 12, 13]
