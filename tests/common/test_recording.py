"""Recorded passes are those of the thread that records, whatever other threads run meanwhile."""

import threading

import torch
from torch import nn

from stan.common.recording import recorded


def test_passes_of_other_threads_are_not_recorded():
    module = nn.Identity()
    with recorded(module) as passes:
        module(torch.tensor([1.0]))
        other = threading.Thread(target=module, args=(torch.tensor([2.0]),))
        other.start()
        other.join()
        module(torch.tensor([3.0]))
    assert passes.result.tolist() == [1.0, 3.0]
