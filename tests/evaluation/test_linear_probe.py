"""A ridge regression is the same by whichever system is solved."""

import torch

from stan.evaluation.linear_probe import RIDGES, _regressions


def test_of_more_channels_than_pictures_as_of_fewer():
    torch.manual_seed(0)
    wide, targets = torch.randn(6, 9).double(), torch.randn(6, 2).double()
    for features in (wide, wide[:, :4]):
        eye = torch.eye(features.shape[1]).double()
        for ridge, found in zip(RIDGES, _regressions(features, targets), strict=True):
            expected = torch.linalg.inv(features.T @ features + ridge * eye) @ features.T @ targets
            torch.testing.assert_close(found, expected)
