"""A folder in; a small Hugging Face tokenizer with one token per character of some queries, saved there, out."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

QUERIES = {
    "English": "a red cat runs",
    "Chinese": "一只红色的猫在跑",
    "Arabic": "قطة حمراء تجري",
    "Finnish": "punainen kissa juoksee öisin",
}
"""The same in four languages, but for Finnish, where it does so at night."""

SPECIAL = {
    "gemma": (["<pad>", "<eos>", "<bos>", "<unk>"], "$A <eos>", {"pad_token": "<pad>", "eos_token": "<eos>"}),
    "t5": (["<unk>", "</s>"], "$A </s>", {"pad_token": "</s>", "eos_token": "</s>"}),
    "xlm": (
        ["<s>", "<pad>", "</s>", "<unk>"],
        "<s> $A </s>",
        {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>"},
    ),
    "bert": (
        ["[PAD]", "[CLS]", "[SEP]", "<unk>"],
        "[CLS] $A [SEP]",
        {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"},
    ),
}
"""Special tokens by id, what stands around a text, the tokens' roles. SigLIP 2 reads gemma's, SigLIP T5's."""


def save_tokenizer(folder: Path, kind: str) -> None:
    """Write a tokenizer with this kind's special tokens, and a token for each letter that the queries hold."""
    special, template, roles = SPECIAL[kind]
    letters = sorted({letter for query in QUERIES.values() for letter in query})
    vocabulary = {token: i for i, token in enumerate([*special, *letters])}
    tokenizer = Tokenizer(WordLevel(vocabulary, "<unk>"))
    tokenizer.pre_tokenizer = Split(Regex(r"[\s\S]"), "isolated")
    named = [(token, vocabulary[token]) for token in special]
    tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=named)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", **roles).save_pretrained(folder)
