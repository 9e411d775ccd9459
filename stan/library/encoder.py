"""A library's store and the model that is wanted for it in; texts and video files as that model's vectors out."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float

from stan.library.embedding import SECONDS_PER_FRAME, FileEmbeddings, embed
from stan.library.entries import Maker
from stan.library.query import Term
from stan.library.store import Store
from stan.models import clip_names
from stan.models.checkpoint import digest, same_weights
from stan.models.dual_encoder import DualEncoder
from stan.models.factory import load_model
from stan.models.similarity.cosine import Cosine

DEFAULT_MODEL = "stan-tiny"
TEXTS_KEPT = 1024
"""Number of encoded texts that are cached for later queries."""


class Encoder:
    """The model of a library, which is loaded when it is first needed.

    wanted, window: `model` and `window` of `stan.library.Library`.
    """

    def __init__(self, store: Store, wanted: str | Path | DualEncoder | None, window: float | None):
        self._store, self._wanted, self._window = store, wanted, window
        self._model: DualEncoder | None = None
        self._maker: Maker | None = None
        self._text = lru_cache(TEXTS_KEPT)(lambda text: self.texts([text])[0])

    @property
    def model(self) -> DualEncoder:
        """The loaded model."""
        if self._model is None:
            wanted = self._wanted
            self._model = wanted.eval() if isinstance(wanted, DualEncoder) else load_model(self.name)
        return self._model

    @property
    def name(self) -> str:
        """The name under which `load_model` finds the model, or the class of a model that was passed in.

        A folder or file is named by its full path, so that it is found from any working directory.
        """
        if isinstance(self._wanted, DualEncoder):
            return type(self._wanted).__name__
        made = self._store.maker
        return clip_names.anywhere(str(self._wanted or (made and made.model) or DEFAULT_MODEL))

    def require_fitting(self) -> Maker:
        """Load the model and return its `Maker`. Raises ValueError if the library's model or windows are others."""
        made = self._store.maker
        if self._maker is None:
            self._maker = self._as_maker(made)
        ours = self._maker
        if made and not (
            same_weights(made.signature, ours.signature)
            and (made.frames, made.window) == (ours.frames, ours.window)
        ):
            raise ValueError(
                f"the library {self._store.address} was made by {made.model}, {made.frames} frames to windows of"
                f" {made.window} s, not by {ours.model} with these weights and this preprocessing, {ours.frames}"
                f" frames to windows of {ours.window} s; embeddings of two models or samplings cannot be compared."
                " Use what made it, or index into a new library"
            )
        return ours

    def _as_maker(self, made: Maker | None) -> Maker:
        frames = self.model.frames
        window = self._window or (float(made.window) if made else SECONDS_PER_FRAME * frames)
        signature = digest(self.model.state_dict(), self.model.clip.unlike_openai)
        return Maker(self.name, str(frames), f"{window:g}", signature)

    def require_sentences(self) -> None:
        """Raise ValueError for a model for which a sentence alone has no vector."""
        model = self.model
        if model.vectors_of_sentences:
            return
        if isinstance(model.score, Cosine):
            raise ValueError(f"{self.name} has no tokenizer, so no sentence can be read: search by example")
        raise ValueError(
            f"{self.name} scores by {type(model.score).__name__}, so a sentence has no vector of its own: search by"
            " example, or take a model with similarity cosine (`stan convert --similarity cosine` leaves a released"
            " file's own scoring out)"
        )

    def direction(self, query: str, terms: list[Term]) -> Float[torch.Tensor, " E"]:
        """Return the normalised sum of a query's terms. Raises ValueError for terms that cancel each other out."""
        wanted = sum(term.weight * self._text(term.text) for term in terms)
        assert isinstance(wanted, torch.Tensor), "a query has terms"
        if wanted.norm() < 1e-4:
            raise ValueError(f"the terms of {query!r} cancel each other out: nothing is left to look for")
        return F.normalize(wanted, dim=-1)

    def texts(self, texts: list[str]) -> Float[torch.Tensor, "N E"]:
        """Return the normalised vectors of texts."""
        return F.normalize(self.model.encode_text(texts).text, dim=-1).float().cpu()

    def file(self, path: Path) -> FileEmbeddings:
        """Return the embeddings of a video's windows and frames. Raises VideoError if it cannot be decoded."""
        return embed(self.model, path, float(self.require_fitting().window))
