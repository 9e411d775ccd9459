"""torchvision is mended where its operators are missing and left alone elsewhere, each in its own process."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

INCOMPLETE = """
import torch
from torchvision import transforms
for name in ("nms", "qnms"):
    torch.library.register_fake(f"torchvision::{name}")(lambda dets, scores, iou_threshold: dets)
"""
COMPLETE = """
import torch
library = torch.library.Library("torchvision", "DEF")
library.define("nms(Tensor dets) -> Tensor")
"""
ASK = """
from stan.common.torchvision_compat import declare
print(declare(), declare())
import sys, torch, torchvision
print(torch.ops.torchvision.nms.default._schema)
"""


def run(program: str, torchvision: str | None = None, folder: Path | None = None):
    if torchvision is not None:
        package = folder / "torchvision"
        package.mkdir()
        (package / "__init__.py").write_text(torchvision)
        (package / "transforms.py").write_text("")
    paths = [str(path) for path in (folder, ROOT) if path]
    program = f"import sys; sys.path[:0] = {paths!r}\n" + textwrap.dedent(program)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_missing_operators_are_declared_by_name_and_half_imports_dropped(tmp_path):
    done = run(ASK + "\nprint('torchvision.transforms' in sys.modules)", INCOMPLETE, tmp_path)
    schema = "torchvision::nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    assert done.stdout.splitlines() == ["True True", schema, "True"], done.stderr


@pytest.mark.slow
def test_a_complete_torchvision_keeps_its_own_operators(tmp_path):
    done = run(ASK, COMPLETE, tmp_path)
    assert done.stdout.splitlines() == ["False False", "torchvision::nms(Tensor dets) -> Tensor"], done.stderr


def test_another_failure_is_not_hidden(tmp_path):
    done = run(ASK, "raise RuntimeError('compiled for another torch')", tmp_path)
    assert done.returncode == 1
    assert "compiled for another torch" in done.stderr


@pytest.mark.slow
def test_open_clip_imports_and_transforms_work_after_it():
    done = run(
        """
        from stan.common.torchvision_compat import declare
        declare()
        import open_clip, PIL.Image
        from torchvision import transforms
        print(tuple(transforms.ToTensor()(PIL.Image.new("RGB", (4, 6))).shape), bool(open_clip.list_models()))
        """
    )
    assert done.stdout.strip() == "(3, 6, 4) True", done.stderr
