"""Every finding has its remedy, a broken part is a finding and no crash, only what is needed makes it bad."""

import importlib.metadata
import json
from pathlib import Path

import pytest

from stan import cli
from stan.cli import doctor
from stan.cli.doctor import Check


def by_name(found: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in found}


@pytest.fixture(scope="module")
def found() -> dict[str, Check]:
    checks = doctor.checks()
    assert len(by_name(checks)) == len(checks)
    return by_name(checks)


def test_it_looks_at_everything_a_run_needs(found):
    wanted = {"python", "devices", "torchvision operators", "H.264 encoder", "decoder PyAV", "decoder decord"}
    wanted |= {
        "weights of the tiny CLIP",
        "real CLIP weights",
        "notebook kernel",
        "browser for tests",
        "disk",
    }
    wanted |= {"folder dashboard", "folder demo", "folder notebooks"}
    assert wanted <= found.keys()
    assert found["decoder PyAV"].detail == "decodes"


def test_what_fails_has_a_remedy_and_what_works_none(found):
    assert [check.name for check in found.values() if check.ok == bool(check.remedy)] == []


def test_only_something_needed_makes_it_bad():
    optional, needed = Check("a", False, "", "mend", needed=False), Check("b", False, "", "mend")
    assert doctor.report([optional])["ok"] is True
    assert doctor.report([optional, needed])["ok"] is False
    document = json.loads(json.dumps(doctor.report([needed])))
    assert document["checks"] == [{"name": "b", "ok": False, "detail": "", "remedy": "mend", "needed": True}]


def test_dependencies_are_compared_with_what_is_asked_and_what_was_tested(monkeypatch):
    lines = ["numpy>=1", "pandas>=999", "no-such-package>=1", 'no-such-extra; extra == "apps"']
    lines += ['never; python_version < "3"', 'numpy>=1; extra == "tests"', 'stan-video[apps]; extra == "all"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)
    monkeypatch.setattr(doctor, "_tested_versions", lambda: {"numpy": "1.0"})
    numpy, pandas, missing, extra = doctor._dependencies()
    assert numpy.ok and numpy.detail.endswith("(tested with 1.0)")
    assert not pandas.ok and ">=999 is needed" in pandas.detail
    assert (missing.ok, missing.needed) == (False, True)
    assert (extra.ok, extra.needed, extra.detail) == (False, False, "not installed (extra apps)")


def test_a_package_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(doctor, "DISTRIBUTION", "no-such-distribution")
    (check,) = doctor._dependencies()
    assert not check.ok and "make install" in check.remedy


def test_a_playwright_that_does_not_start_is_a_finding(monkeypatch):
    pytest.importorskip("playwright")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", "/bin/false")
    check = doctor._browser()
    assert not check.ok and not check.needed and "driver does not start" in check.detail
    assert "install your system's chromium" in check.remedy


@pytest.mark.parametrize("program", ["import os; os.abort()", "raise RuntimeError('bad header')", "print(3)"])
def test_a_broken_decoder_is_a_finding(monkeypatch, program):
    monkeypatch.setattr(doctor, "_DECODE", {"PyAV": program, "decord": program})
    encoder, pyav, decord = doctor._video()
    assert encoder.ok
    assert not pyav.ok and pyav.needed
    assert not decord.ok and not decord.needed and "PyAV decodes" in decord.remedy


def test_weights_that_are_missing_or_cut_short_are_a_finding(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "ASSETS", tmp_path)
    missing = doctor._shipped_weights()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/tiny_clip.safetensors").write_bytes(b"\x08\0\0")
    short = doctor._shipped_weights()
    assert not missing.ok and not short.ok
    assert "stan pretrain" in missing.remedy


def test_fetched_clip_weights_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not doctor._open_clip_weights().ok
    (tmp_path / "models--timm--vit_base_patch32_clip_224.openai").mkdir()
    assert doctor._open_clip_weights().detail == "timm/vit_base_patch32_clip_224.openai"


def test_a_kernel_of_another_environment_is_a_finding(monkeypatch, tmp_path):
    kernel = tmp_path / "kernels/python3"
    kernel.mkdir(parents=True)
    other = {
        "argv": ["/elsewhere/python", "-m", "ipykernel_launcher"],
        "display_name": "x",
        "language": "python",
    }
    (kernel / "kernel.json").write_text(json.dumps(other))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    check = doctor._kernel()
    assert not check.ok and "/elsewhere/python" in check.detail


def test_a_full_disk_is_a_finding(monkeypatch):
    monkeypatch.setattr(doctor, "FREE_BYTES", 10**18)
    check = doctor._disk(Path.cwd())
    assert not check.ok and check.needed


@pytest.mark.slow
def test_a_comparison_is_kept_as_it_is_printed(tmp_path, capsys):
    sets, kept = Path(__file__).parents[1] / "golden" / "peers" / "actionclip", tmp_path / "parity.json"
    assert cli.run(["doctor", "--parity", str(sets), "--out", str(kept), "--json"]) == 0
    assert json.loads(kept.read_text()) == json.loads(capsys.readouterr().out)
    assert cli.run(["doctor", "--out", str(kept)]) == 2
    assert "name their folder by --parity" in capsys.readouterr().err
