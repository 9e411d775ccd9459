"""A command's process imports timm only for a model that has one of its towers."""

import json
import subprocess
import sys

import pytest

BUILD = """
import json, sys
from stan.common.light import leave_out_unused
leave_out_unused()
from stan.models.backbones import from_config
text = {"context_length": 8, "vocab_size": 64, "width": 8, "heads": 2, "layers": 1}
def build(**vision):
    clip = from_config({"embed_dim": 192, "vision_cfg": {"image_size": 224, **vision}, "text_cfg": text})
    print(json.dumps([type(clip.visual).__name__, sys.modules["timm"] is not None, "torch._dynamo" in sys.modules]))
build(layers=1, width=64, patch_size=32)
build(timm_model_name="vit_tiny_patch16_224", timm_pool="map", timm_proj="none")
build(timm_model_name="vit_tiny_patch16_224", timm_pool="map", timm_proj="none")
"""


@pytest.mark.slow
def test_timm_is_imported_for_its_own_towers_alone():
    ended = subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [
        ["OpenClipVit", False, False],
        ["TimmVit", True, True],
        ["TimmVit", True, True],
    ]
