"""Name in, similarity module out: the one registry of ways to score texts against videos."""

from torch import nn

from stan.similarity.cosine import Cosine

SIMILARITIES: dict[str, type[nn.Module]] = {"cosine": Cosine}


def build(name: str) -> nn.Module:
    """The similarity `name`. Raises ValueError for a name that isn't known, listing those that are."""
    if name not in SIMILARITIES:
        raise ValueError(f"similarity {name!r} is not known; there are {', '.join(SIMILARITIES)}")
    return SIMILARITIES[name]()
