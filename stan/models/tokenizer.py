"""An open_clip text config in, its tokenizer out: read when a text must be tokenised, and never fetched."""

from __future__ import annotations

import copy
import os
import textwrap
from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from jaxtyping import Int
from torch import Tensor

from stan.common.open_clip_import import prepare
from stan.models.hugging_face_text import transformers
from stan.models.vocabulary import VOCABULARY

prepare()

import open_clip  # noqa: E402

CONTEXT = 77
"""Tokens per caption, unless the text config says otherwise."""
FILES = ("tokenizer.json", "tokenizer_config.json")
"""A folder with one of them holds a tokenizer."""


def tokenizer_of(text: dict[str, Any] | None, folder: Path | None = None) -> Any:
    """Return the tokenizer of open_clip's text config; None for a vocabulary that no known tokenizer has.

    It is called with texts and a number of tokens per text. folder: where the weights lie; a Hugging Face tokenizer is
    read there, if its files are there, else in the hub's local cache. Raises ValueError for options of open_clip's own
    tokenizer that it doesn't take.
    """
    if text is None:
        return None
    options, length = text.get("tokenizer_kwargs") or {}, text.get("context_length", CONTEXT)
    name = text.get("hf_tokenizer_name")
    if name:
        beside = folder is not None and any((folder / file).is_file() for file in FILES)
        return HuggingFaceTokenizer(
            str(folder) if beside else name, length, text.get("tokenizer_mode"), options
        )
    if text.get("vocab_size", VOCABULARY) < VOCABULARY:
        return None
    if options:
        try:
            return open_clip.SimpleTokenizer(context_length=length, **options)
        except Exception as error:  # of the options, or of the file of merges that they name
            raise ValueError(
                f"{folder or 'the model config'}: text_cfg.tokenizer_kwargs is {options!r:.80}; open_clip builds no"
                f" tokenizer with it ({error!r:.200})"
            ) from error
    # a copy, because reading the vocabulary again takes longer than the tiny CLIP does
    tokenizer = copy.copy(open_clip.tokenizer._tokenizer)
    tokenizer.context_length = length
    return tokenizer


def described(tokenizer: Any) -> dict[str, Any] | None:
    """Return what tells a tokenizer to others: its package, name and settings. None for None."""
    if tokenizer is None:
        return None
    if isinstance(tokenizer, HuggingFaceTokenizer):
        return {
            "package": "transformers",
            "name": tokenizer.source,
            "mode": tokenizer.mode,
            **tokenizer.options,
        }
    return {
        "package": "open_clip",
        "name": type(tokenizer).__name__,
        "clean": tokenizer.clean_fn.__name__.removeprefix("_clean_"),
        "vocabulary": tokenizer.vocab_size,
        "start": tokenizer.sot_token_id,
        "end": tokenizer.eot_token_id,
        "padding": 0,
    }


class HuggingFaceTokenizer:
    """open_clip's `HFTokenizer`, read from a folder or from the hub's local cache when it is first needed.

    source: folder, or name on the hub. mode, options: open_clip's `tokenizer_mode` and `tokenizer_kwargs`.
    """

    def __init__(self, source: str, context_length: int, mode: str | None, options: dict[str, Any]):
        self.source, self.context_length, self.mode, self.options = source, context_length, mode, options

    def __call__(self, texts: list[str], words: int) -> Int[Tensor, "B L"]:
        """Return `words` token ids per text. The mode `clips` ends every text in a class token at the last place that
        the tower reads, so it always returns as many ids as that. Raises ValueError if the tokenizer isn't here, is
        damaged, or doesn't name the tokens that this needs.
        """
        read, length = self._read, self.context_length if self.mode == "clips" else words
        with self._damaged():
            return read(texts, length)

    @property
    def pad_id(self) -> int:
        """What stands behind a text that is shorter than others."""
        return self._read.tokenizer.pad_token_id

    @cached_property
    def _read(self) -> Any:
        transformers(f"the tokenizer {self.source}")
        folder, options = self._folder, self.options
        with self._damaged():
            read = open_clip.tokenizer.HFTokenizer(
                folder, self.context_length, tokenizer_mode=self.mode, local_files_only=True, **options
            )
        needed = ["pad_token"]
        needed += ["bos_token", "eos_token", "cls_token"] if self.mode == "clips" else []
        needed += ["sep_token"] if read.strip_sep_token else []
        lacking = [token for token in needed if getattr(read.tokenizer, f"{token}_id") is None]
        if lacking:
            raise ValueError(
                f"the tokenizer in {folder} names no {' and no '.join(lacking)}: write into its {FILES[1]} which of"
                " its tokens that is, or fetch it again"
            )
        return read

    @cached_property
    def _folder(self) -> str:
        """The source or the hub's local copy of it; by its name alone, transformers would also want a config.json."""
        if os.path.isdir(self.source):
            return self.source
        try:
            return snapshot_download(
                self.source, cache_dir=self.options.get("cache_dir"), local_files_only=True
            )
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(
                f"the tokenizer {self.source} cannot be read beside the weights or in the hub's local cache"
                f" ({type(error).__name__}): put {' and '.join(FILES)} (or its sentencepiece model) beside the weights"
                f" file, or run `hf download {self.source}` once with a network"
            ) from error

    @contextmanager
    def _damaged(self) -> Generator[None]:
        """Turn whatever a tokenizer's files raise into one ValueError that names their folder."""
        try:
            yield
        except Exception as error:  # these packages raise a dozen unrelated types, one of them this very one
            again = "fetch it" if self._folder == self.source else f"run `hf download {self.source}`"
            remedy = f"{again} again"
            remedy += f", or mend tokenizer_kwargs {self.options!r:.80}" if self.options else ""
            reason = textwrap.shorten(f"{type(error).__name__}: {error}", 200, placeholder=" …")
            raise ValueError(
                f"the tokenizer in {self._folder} is damaged, or lacks a file or a package ({reason}): {remedy}"
            ) from error
