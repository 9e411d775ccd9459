"""Tokens of one level in, what attention over them can read off out: the probe for what no linear map of all finds."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stan.data.world.known_stills import KnownStills
from stan.evaluation.linear_probe import above_chance, parts, r2

STEPS, BATCH, RATE = 400, 128, 3e-3
CHECKED = 50
"""Steps between looks at the quarter of the stills that chooses when to stop."""


class AttentiveProbe(nn.Module):
    """One learned query per target mixes the normalised tokens; a linear layer reads the target off the mixture.

    sizes: numbers of values that are read off, by target.
    """

    def __init__(self, width: int, heads: int, sizes: dict[str, int]):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.queries = nn.Parameter(0.02 * torch.randn(len(sizes), width))
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.heads = nn.ModuleList(nn.Linear(width, size) for size in sizes.values())

    def forward(self, tokens: Float[Tensor, "B S D"]) -> list[Float[Tensor, "B k"]]:
        tokens = self.norm(tokens)
        queries = self.queries.expand(len(tokens), -1, -1)
        mixed, _ = self.attention(queries, tokens, tokens, need_weights=False)
        return [head(mixed[:, i]) for i, head in enumerate(self.heads)]


def of_known(
    tokens: Float[Tensor, "N S D"], known: KnownStills, heads: int, steps: int = STEPS
) -> dict[str, float]:
    """Return the score of everything that is known of the stills, as `linear_probe.of_known` scores it.

    The probe is trained on half of the stills, and the state of it is taken that is best on the next quarter.
    """
    device = tokens.device
    numbers = {name: torch.as_tensor(values, device=device) for name, values in known.numbers.items()}
    kinds = {name: torch.as_tensor(indices, device=device) for name, indices in known.classes.items()}
    numbers = {name: _standard(values) for name, values in numbers.items()}
    wanted = {**numbers, **kinds}
    sizes = {name: values.shape[1] for name, values in numbers.items()}
    sizes |= {name: int(indices.max()) + 1 for name, indices in kinds.items()}
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        probe = AttentiveProbe(tokens.shape[2], heads, sizes).to(device)
        _train(probe, tokens.detach(), wanted, steps)
    return _scores(probe, parts(tokens)[2], {name: parts(values)[2] for name, values in wanted.items()})


def _standard(values: Tensor) -> Tensor:
    return (values - values.mean(0)) / values.std(0)


def _train(probe: AttentiveProbe, tokens: Tensor, wanted: dict[str, Tensor], steps: int) -> None:
    """Train the probe and leave it in the state that is best on the quarter that chooses."""
    optimizer = torch.optim.AdamW(probe.parameters(), RATE, weight_decay=0.01)
    fit, choose, _ = parts(tokens)
    targets = {name: parts(values)[:2] for name, values in wanted.items()}
    chosen = {name: choosing for name, (_, choosing) in targets.items()}
    best, state = -math.inf, probe.state_dict()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        rows = torch.randint(len(fit), (min(BATCH, len(fit)),), device=tokens.device)
        losses = [
            _loss(output, target[rows])
            for output, (target, _) in zip(probe(fit[rows]), targets.values(), strict=True)
        ]
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()
        optimizer.step()
        if (step + 1) % CHECKED == 0 or step == steps - 1:
            scores = _scores(probe, choose, chosen)
            if (mean := sum(scores.values()) / len(scores)) > best:
                best, state = mean, copy.deepcopy(probe.state_dict())
    probe.load_state_dict(state)


def _loss(output: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(output, target) if target.is_floating_point() else F.cross_entropy(output, target)


@torch.no_grad()
def _scores(probe: AttentiveProbe, tokens: Tensor, wanted: dict[str, Tensor]) -> dict[str, float]:
    outputs = [torch.cat(one) for one in zip(*(probe(part) for part in tokens.split(BATCH)), strict=True)]
    scored = zip(wanted.items(), outputs, strict=True)
    return {
        name: r2(output, target) if target.is_floating_point() else above_chance(output, target)
        for (name, target), output in scored
    }
