"""The patch embedding is the convolution that it replaces."""

import pytest
import torch
from torch import nn

from stan.models.blocks import PatchEmbedding


@pytest.mark.parametrize("size", [(12, 8), (14, 11)], ids=["filled", "with a border"])
@torch.no_grad()
def test_a_patch_embedding_is_its_convolution(size):
    convolution = nn.Conv2d(3, 5, 4, stride=4)
    images = torch.randn(2, 3, *size)
    torch.testing.assert_close(PatchEmbedding(convolution)(images), convolution(images))
