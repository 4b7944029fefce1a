"""Memory for results: shape, dtype, and that autograd takes it as it is."""

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
