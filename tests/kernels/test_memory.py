"""Memory for results: its shape and dtype, and that a block in use is never given out again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from manyhot.kernels.memory import room_like


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (4, 5), (600, 2000)])
def test_shape_and_dtype_are_kept_and_the_memory_can_be_written(shape, dtype):
    room = room_like(torch.ones(shape, dtype=dtype).t())
    assert room.shape == shape[::-1]
    assert room.dtype == dtype
    assert room.is_contiguous()
    assert (room.fill_(2.0) == 2).all()


def test_a_block_is_given_again_only_when_nobody_holds_it():
    like = torch.empty(500, 1000)
    first = room_like(like)
    place = first.data_ptr()
    assert place % 64 == 0
    second = room_like(like)
    assert second.data_ptr() != place
    del second
    for hold in (lambda x: x[3:5], lambda x: x.numpy(), lambda x: x.view(-1).detach()):
        block = room_like(like)
        place, held = block.data_ptr(), hold(block)
        del block
        other = room_like(like).data_ptr()
        assert other != place
        del held
        again = room_like(like).data_ptr()
        assert again == other


def test_threads_never_share_a_block():
    like = torch.empty(512, 1000)

    def fill(number):
        own = room_like(like).fill_(number)
        return bool((own == number).all()) and bool((own == number).all())

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(fill, range(200)))
