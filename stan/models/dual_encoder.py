"""Videos and captions in, embeddings and their similarity out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from stan.common.json_values import require_count
from stan.config import ModelConfig, from_dict
from stan.models import checkpoint, hub
from stan.models import similarity as similarities
from stan.models import temporal as methods
from stan.models.backbones import load_clip
from stan.models.checkpoint import Saved
from stan.models.clip import Clip
from stan.models.model_card import model_card
from stan.models.similarity.cosine import Cosine
from stan.models.temporal.base import Temporal
from stan.models.text_tower import TextOutput, require_known, text_blocks
from stan.models.video_encoder import VideoEncoder, VideoOutput

if TYPE_CHECKING:
    from stan.data.loader import Batch


class DualEncoder(nn.Module):
    """CLIP with a temporal method on its image tower, and a similarity between texts and videos."""

    def __init__(
        self,
        clip: Clip,
        temporal: Temporal,
        similarity: str = "cosine",
        options: dict[str, Any] | None = None,
    ):
        super().__init__()
        score = similarities.build(similarity, clip, options)
        score.attach(temporal)
        clip.padding_counts |= score.reads_padding
        self.encoder = VideoEncoder(clip, temporal, score.read, score.projected)
        self.score = score
        self.judges_pairs = clip.logit_bias is not None
        """Whether scaled cosines plus the bias are still logits, as in the CLIP's own training (see
        `pair_probability`): not so after training with a loss that has no bias."""
        self.temperature: float | None = None
        """Cosines are divided by it to become probabilities; None until it has been fitted."""
        self.saved: Saved | None = None
        """What the file that this model was read from holds; None for one that wasn't trained here."""

    @property
    def clip(self) -> Clip:
        return self.encoder.clip

    @property
    def temporal(self) -> Temporal:
        return self.encoder.temporal

    @property
    def frames(self) -> int:
        """Number of frames taken from a video file."""
        return self.temporal.frames * self.clip.visual.tubelet

    @property
    def logit_scale(self) -> nn.Parameter:
        """Logarithm of the factor by which CLIP turns a cosine into a logit."""
        return self.clip.logit_scale

    @property
    def logit_bias(self) -> nn.Parameter | None:
        """What is added to the logit of a text and a video; None for a CLIP that never judged pairs one by one."""
        return self.clip.logit_bias

    def pair_probability(self, scores: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"] | None:
        """Return the probability that text and video belong together, whatever else there is, from their scores.

        None for models that only compare pairs with each other.
        """
        if self.logit_bias is None or not self.judges_pairs:
            return None
        scale, bias = self.logit_scale.detach().exp(), self.logit_bias.detach()
        return (scores * scale.to(scores) + bias.to(scores)).sigmoid()

    @property
    def vectors_of_sentences(self) -> bool:
        """Whether a sentence alone has a vector whose cosine with a video's vector is the score.

        Not so where pairs are scored, where a classifier's own classes are, and where words can't be tokenised.
        """
        return isinstance(self.score, Cosine) and self.clip.tokenizer is not None

    @property
    def embedding_width(self) -> int:
        """Channels of a video's embedding: E, or D where the similarity reads it before CLIP's projection."""
        return self.clip.embed_dim if self.score.projected else self.clip.width

    @property
    def device(self) -> torch.device:
        return self.logit_scale.device

    def push_to_hub(
        self, repository: str, card: str | None = None, licence: str = "other", private: bool = False
    ) -> str:
        """Write the weights, as they are now, to `USER/NAME` on Hugging Face's hub; return the commit's address.

        card: the text of its README.md; by default one that tells data and recipe. `stan push RUN` writes one with the
        run's numbers. licence: the hub's word for it. Raises ValueError for a model that wasn't trained here, and if
        the hub doesn't take it.
        """
        if self.saved is None:
            raise ValueError("only a model that was trained here is pushed: load a run or its checkpoint")
        state, metadata = self.state_dict(), dict(self.saved.metadata)
        left_out = {name: tensor for name, tensor in state.items() if name not in self.saved.names}
        if checkpoint.same_weights(metadata["backbone"], checkpoint.digest(left_out)):
            state = {name: tensor for name, tensor in state.items() if name in self.saved.names}
        else:  # the backbone was changed since
            metadata["backbone"] = checkpoint.digest({})
        if card is None:
            card = model_card(repository, from_dict(metadata["experiment"]), licence)
        return hub.push(repository, state, metadata, card, private)

    def encode_video(
        self,
        video: str | Path | Sequence[str | Path] | Float[Tensor, "B T 3 H W"],
        mask: Bool[Tensor, "B T"] | None = None,
    ) -> VideoOutput:
        """Embed video files (one or several; `frames` frames each, without gradient) or prepared frames.

        Raises VideoError (a ValueError) for a file that cannot be decoded, and ValueError for what is neither, such as
        frames with values from 0 to 255.
        """
        if isinstance(video, Tensor):
            self._require_prepared(video)
            return self.encoder(video, mask)
        paths = [video] if isinstance(video, str | Path) else video
        listed = isinstance(paths, list | tuple) and all(isinstance(path, str | Path) for path in paths)
        if not listed or not paths:
            raise ValueError(
                f"{video!r:.80} is no video: give a file's path, a list of paths, or prepared frames as a torch"
                " tensor (videos, frames, 3, height, width)"
            )
        with torch.no_grad():
            return self.encoder(torch.stack([self.decode(path)[0] for path in paths]).to(self.device))

    def _require_prepared(self, video: Tensor) -> None:
        """Raise ValueError for values far above those of prepared frames.

        Not asked in each step of a training: the answer is waited for, where the video lies on a GPU.
        """
        pixels = self.clip.pixels
        white = max((1 - mean) / std for mean, std in zip(pixels.mean, pixels.std, strict=True))
        if (video > 10 * white).any():
            raise ValueError(
                f"video with values up to {video.max():g}: expected prepared frames, where white is {white:.3g}, as"
                " `DualEncoder.decode` and `stan.data.video.transforms` make them of pixels from 0 to 255"
            )

    def encode_text(self, text: str | Sequence[str] | Int[Tensor, "B L"]) -> TextOutput:
        """Embed captions (without gradient) or token ids. Raises ValueError for what is neither."""
        if isinstance(text, Tensor):
            require_known(self.clip.text, text)
            return self.clip.encode_text(text, self.temporal.text_tokens)
        with torch.no_grad():
            return self.encode_text(self.clip.tokenize(text).to(self.device))

    def similarity(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        """Score every text against every video, on the scale of cosines: without the logit scale."""
        return self.score(text, video)

    def decode(
        self, path: str | Path, count: int | None = None
    ) -> tuple[Float[Tensor, "T 3 S S"], Float[np.ndarray, " T"]]:
        """Return `count` frames of a video file, prepared for the model, and their times in seconds.

        count: None for the model's own number. Raises VideoError (a ValueError) for a file that cannot be decoded, and
        ValueError for another count than a whole number of at least 1.
        """
        from stan.data.video.decoding import decode
        from stan.data.video.transforms import evaluation  # only reading files needs decoders

        if count is None:
            count = self.frames
        require_count("the number of frames", count)
        settings = self.clip.pixels
        decoded = decode(path, count, settings.scaling)
        frames = evaluation(settings)(decoded.frames)
        return torch.as_tensor(frames), np.asarray(decoded.times)


def build(config: ModelConfig, frames: int) -> DualEncoder:
    """Build the model of `config` for clips of `frames` frames.

    Raises ValueError for names, options and weights that don't exist.
    """
    clip = load_clip(config.backbone, config.pretrained)
    temporal = methods.build(config.temporal, clip, frames, config.options)
    return DualEncoder(clip, temporal, config.similarity, config.similarity_options)


def embed(model: DualEncoder, batch: Batch) -> VideoOutput:
    """Embed a loader's batch, from its levels if it has them, unless it already holds the embeddings."""
    if "embedded" in batch:
        return VideoOutput(**batch["embedded"])
    return model.encoder.from_levels(batch["levels"]) if "levels" in batch else model.encoder(batch["video"])


def embeds_alike(model: DualEncoder) -> bool:
    """Tell whether training leaves the embeddings of videos as they are: nothing that makes them is trained.

    A similarity counts as well, because it may read the last block's tokens in its own way.
    """
    parts = (model.clip.visual, model.temporal, model.score)
    return not any(parameter.requires_grad for part in parts for parameter in part.parameters())


def whole_blocks(model: DualEncoder) -> Iterator[nn.Module]:
    """Yield the blocks of both towers and of the temporal method that are only called as a whole.

    A method that changes CLIP's blocks calls their parts separately, so those blocks are left out.
    """
    yield from text_blocks(model.clip.text)
    yield from model.clip.blocks[: model.temporal.changes_from]
    yield from model.temporal.own_blocks
