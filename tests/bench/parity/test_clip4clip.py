"""CLIP4Clip's released outputs, for each of its similarity headers."""

import pytest
import torch

from stan.bench.parity.clip4clip import contrastive
from tests.support.reference_sets import assert_reproduced


@pytest.mark.parametrize("header", ["meanp", "seqtransf", "tighttransf"])
def test_reproduces_the_released_outputs(header):
    assert_reproduced(f"clip4clip_{header}")


def test_the_loss_compares_as_many_pairs_as_there_are():
    logits = torch.tensor([[2.0, 0.0], [1.0, 3.0], [9.0, 9.0]])
    rows = [torch.log1p(torch.tensor(x).exp()) for x in (-2.0, -2.0)]  # of both texts
    columns = [torch.log1p(torch.tensor(x).exp()) for x in (-1.0, -3.0)]  # of both videos
    torch.testing.assert_close(contrastive(logits), (sum(rows) / 2 + sum(columns) / 2) / 2)
