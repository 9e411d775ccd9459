"""Importing open_clip leaves transformers out until a text tower or a tokenizer needs it."""

import subprocess
import sys

import pytest

CHECK = """
import sys
from stan.models.backbones import load_clip
load_clip().tokenize("a red circle")
print("transformers" in sys.modules)
from stan.models.tokenizer import HuggingFaceTokenizer
try:
    HuggingFaceTokenizer("no/where", 8, None, {})(["a"], 8)
except ValueError:
    print("transformers" in sys.modules)
"""


@pytest.mark.slow
def test_plain_models_do_not_import_transformers():
    pytest.importorskip("transformers")
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, timeout=240)
    assert done.stdout.split() == ["False", "True"], done.stderr
