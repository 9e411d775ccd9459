"""This installation in; a list of checks out: what is there, what works, what is missing and how to fix it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from packaging.requirements import Requirement

from stan.cli.output import Json, emit, plain, quiet, say, table
from stan.common.files import write_json
from stan.common.paths import ASSETS, BUNDLED, ROOT, project_folder

DISTRIBUTION = "stan-video"
REINSTALL = "run `make install` in the clone"
EXTRAS = ("notebooks", "apps", "api", "mcp", "texts", "s3", "onnx", "tests")
"""Those whose packages are looked for: all that `all` brings."""
FREE_BYTES = 2 * 10**9
"""Bytes that worlds, runs and libraries of the quick size need, with room to spare."""


@dataclass(frozen=True)
class Check:
    """One finding. `remedy` is empty if there is nothing to fix, `needed` is False for what is optional."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    needed: bool = True


def checks() -> list[Check]:
    """Return all checks, in the order in which to fix them. No check raises. This takes as long as loading torch."""
    with ThreadPoolExecutor() as pool:
        torch, video = pool.submit(_torch), pool.submit(_video)
        first = [_python(), *_dependencies()]
        last = [
            _shipped_weights(),
            _open_clip_weights(),
            _kernel(),
            *_folders(),
            _browser(),
            _disk(Path.cwd()),
        ]
        return [*first, *torch.result(), *video.result(), *last]


def report(found: list[Check]) -> dict[str, object]:
    """Return what `stan doctor --json` prints. "ok" is False only if something needed is missing."""
    return {"ok": all(check.ok or not check.needed for check in found), "checks": [asdict(c) for c in found]}


def browser() -> str | None:
    """Return the Chromium that browser tests drive, or None: one on PATH, otherwise Playwright's own download.

    Raises OSError if Playwright's driver, a program, doesn't start.
    """
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    on_path = next(filter(None, map(shutil.which, names)), None)
    if on_path or importlib.util.find_spec("playwright") is None:
        return on_path
    from playwright.sync_api import sync_playwright

    try:
        with sync_playwright() as playwright:
            own = playwright.chromium.executable_path
    except Exception as error:  # of no class of its own: bare machines lack a library of Node's
        raise OSError(f"Playwright's driver does not start: {error}") from error
    return own if Path(own).exists() else None


def _python() -> Check:
    version = platform.python_version()
    return Check(
        "python",
        sys.version_info >= (3, 11),
        version,
        _unless(sys.version_info >= (3, 11), "use 3.11 or newer"),
    )


def _dependencies() -> list[Check]:
    """Return one check per direct dependency. Those of the core are needed, those of an extra are not."""
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return [Check(f"package {DISTRIBUTION}", False, "imported, but not installed", REINSTALL)]
    tested, found = _tested_versions(), {}
    for requirement in map(Requirement, lines):
        extra = next((e for e in EXTRAS if f'"{e}"' in str(requirement.marker)), None)
        meant = requirement.marker is None or requirement.marker.evaluate({"extra": extra or ""})
        if meant and requirement.name not in {DISTRIBUTION, *found}:  # two extras may share a package
            found[requirement.name] = _dependency(requirement, tested.get(_normal(requirement.name)), extra)
    return list(found.values())


def _dependency(requirement: Requirement, tested: str | None, extra: str | None) -> Check:
    name = f"package {requirement.name}"
    where = f" (extra {extra})" if extra else ""
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, f"not installed{where}", REINSTALL, needed=extra is None)
    if not requirement.specifier.contains(version, prereleases=True):
        return Check(
            name, False, f"{version}, but {requirement.specifier} is needed", REINSTALL, needed=extra is None
        )
    other = tested is not None and version.split("+")[0] != tested
    return Check(name, True, version + (f" (tested with {tested})" if other else "") + where)


def _tested_versions() -> dict[str, str]:
    """Return the versions in constraints.txt of the wheel or the clone; empty if there is no such file."""
    files = (folder / "constraints.txt" for folder in (BUNDLED, ROOT))
    constraints = next((file for file in files if file.is_file()), None)
    lines = constraints.read_text().splitlines() if constraints else []
    pins = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {_normal(name): version.strip() for name, version in pins}


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


_TORCH = """
import os, sys
from stan.common.cores import cores
from stan.common.torchvision_compat import load_cpu_torch, operators_load
devices = [f"cpu ({cores()} cores)"]
if not load_cpu_torch():
    import torch
    apple = ["mps"] if torch.backends.mps.is_available() else []
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] + apple + devices
print(", ".join(devices))
print("complete" if operators_load() else "declared by name", flush=True)
os._exit(0)
"""
"""Program that prints the devices in one line and the state of torchvision's operators in the next. It ends without
freeing torch, which would take time."""


def _torch() -> list[Check]:
    """Check what torch sees and whether torchvision fits it, in a separate process, because either may be broken."""
    trial = _trial(_TORCH)
    if trial.failed:
        return [Check("devices", False, f"torch does not import: {trial.said}", REINSTALL)]
    devices, operators = trial.lines
    partial = "declared by name: compiled ones don't fit this torch; transforms, all that is used, work"
    told = operators if operators == "complete" else partial
    return [Check("devices", True, devices), Check("torchvision operators", True, told)]


_ENCODE = """
import av, numpy, sys
with av.open(sys.argv[1], "w") as out:
    stream = out.add_stream("libx264", rate=8)
    stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
    for i in range(8):
        frame = av.VideoFrame.from_ndarray(numpy.full((96, 96, 3), 30 * i, numpy.uint8), format="rgb24")
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
"""
_READ = """
import sys
import numpy as np
from stan.data.video.reading import reading
print(len(reading(sys.argv[1], (), 96 * 96).read(np.arange(8), (96, 96), "pyav")[1]))
"""
"""By all of our own code: PyAV's interface changes from one major version to the next."""
_DECODE = {
    "PyAV": _READ,
    "decord": """
import decord, sys
from stan.data.video import backends
if backends.decord is None:
    version = getattr(decord, "__version__", "nothing")
    sys.exit(f"what is imported as decord is {version}, as with decord2 beside it, not 0.6")
print(len(decord.VideoReader(sys.argv[1], width=96, height=96).get_batch(range(8)).asnumpy()))
""",
}


def _video() -> list[Check]:
    """Write a clip and read it again, each in a separate process, because a broken decoder may crash its process."""
    with tempfile.TemporaryDirectory() as folder:
        clip = str(Path(folder) / "clip.mp4")
        encoded = _trial(_ENCODE, clip)
        encoder = Check(
            "H.264 encoder",
            not encoded.failed,
            encoded.said or "libx264",
            _unless(not encoded.failed, REINSTALL),
        )
        with ThreadPoolExecutor() as pool:
            return [encoder, *pool.map(_decoder, _DECODE, [clip] * len(_DECODE))]


def _decoder(name: str, clip: str) -> Check:
    """Check one decoder. PyAV is needed; if decord is missing or fails, PyAV decodes."""
    trial = _trial(_DECODE[name], clip)
    works = trial.said == "8"
    detail = "decodes" if works else f"does not decode: {trial.said or 'it ended without a word'}"
    again = "`pip install --force-reinstall --no-deps decord==0.6.0`"
    remedy = REINSTALL if name == "PyAV" else f"{again}; until then, or where it has no wheel, PyAV decodes"
    return Check(f"decoder {name}", works, detail, _unless(works, remedy), needed=name == "PyAV")


@dataclass(frozen=True)
class _Trial:
    failed: bool
    said: str
    """The last line of the output or of the error."""
    lines: tuple[str, ...] = ()


def _trial(program: str, *arguments: str) -> _Trial:
    """Run a few lines of Python in a separate process, and return what they printed or the last line of their error."""
    command = [sys.executable, "-c", program, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    except subprocess.TimeoutExpired:
        return _Trial(True, "no answer in 60 s")
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    return _Trial(done.returncode != 0, lines[-1] if lines else "", tuple(lines))


def _shipped_weights() -> Check:
    weights = ASSETS / "weights" / "tiny_clip.safetensors"
    remedy = "restore it from the repository, or make it anew by `stan pretrain`"
    try:
        from safetensors import safe_open

        with safe_open(weights, "numpy") as stored:
            size = f"{len(stored.keys())} tensors, {weights.stat().st_size / 1e6:.1f} MB"
    except Exception as error:  # no file, a truncated one, or no safetensors: each is a finding
        return Check("weights of the tiny CLIP", False, str(error), remedy)
    return Check("weights of the tiny CLIP", True, f"{weights.name}: {size}")


def _open_clip_weights() -> Check:
    """Check which real CLIP weights were fetched before. open_clip fetches others if there is a network."""
    hub = Path(
        os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME", "~/.cache/huggingface"), "hub")
    )
    own = Path("~/.cache/clip").expanduser()
    fetched = [
        *hub.expanduser().glob("models--*clip*"),
        *hub.expanduser().glob("models--*CLIP*"),
        *own.glob("*.pt"),
    ]
    names = sorted({path.name.removeprefix("models--").replace("--", "/") for path in fetched})
    remedy = (
        "fetched at first use where there is network; elsewhere pass a file: --pretrained /path/to/weights"
    )
    return Check(
        "real CLIP weights",
        bool(names),
        ", ".join(names) or "none fetched yet",
        _unless(names, remedy),
        False,
    )


def _kernel() -> Check:
    """Check the kernel python3, which notebooks name: it must run in this environment, or they run in another."""
    name, remedy = "notebook kernel", "run `python -m ipykernel install --sys-prefix` in this environment"
    try:
        from jupyter_client.kernelspec import KernelSpecManager

        first = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except Exception as error:  # no jupyter, no such kernel, a damaged kernel.json: each is a finding
        return Check(name, False, f"python3: {error or type(error).__name__}", remedy, needed=False)
    here = Path(first).name == first or Path(first).absolute() == Path(sys.executable).absolute()
    return Check(
        name, here, f"python3 runs {sys.executable if here else first}", _unless(here, remedy), needed=False
    )


def _folders() -> Iterator[Check]:
    for name in ("dashboard", "demo", "notebooks"):
        try:
            yield Check(f"folder {name}", True, str(project_folder(name)), needed=False)
        except ValueError as error:
            yield Check(f"folder {name}", False, str(error), REINSTALL, needed=False)


def _browser() -> Check:
    remedy = "install your system's chromium, or run `playwright install chromium`"
    try:
        found, detail = browser(), "none"
    except OSError as error:
        found, detail = None, str(error)
    return Check(
        "browser for tests", found is not None, found or detail, _unless(found, remedy), needed=False
    )


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    enough = free >= FREE_BYTES
    detail = f"{free / 1e9:.1f} GB free in {folder}"
    return Check("disk", enough, detail, _unless(enough, f"make room for {FREE_BYTES / 1e9:.0f} GB"))


def _unless(fine: object, remedy: str) -> str:
    return "" if fine else remedy


def doctor(
    parity: Annotated[
        Path | None,
        typer.Option(
            help="Instead: a folder of rivals' reference outputs (tests/golden/peers in a clone); how far ours differ."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --parity: a file that also keeps the comparison, as JSON.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Tell what is installed, which devices, decoders and weights are available, and what is missing."""
    if parity is not None:
        return _parity(parity, out, as_json)
    if out is not None:
        raise ValueError("--out keeps a comparison with reference outputs: name their folder by --parity")
    found = report(checks())
    emit(found, as_json, _diagnosis)
    return 0 if found["ok"] else 1


def _parity(folder: Path, out: Path | None, as_json: bool) -> int:
    """Print how far our outputs are from the references. The status is 1 if any differs by more than the tolerance."""
    from stan.bench.parity.record import compared

    with quiet():
        found = plain(compared(folder))
    if out is not None:
        write_json(out, found)
        say(f"kept in {out}")
    emit(found, as_json, _differences)
    return 0 if found["ok"] else 1


def _differences(report: dict[str, Any]) -> str:
    columns = ("set", "method", "outputs", "equal", "left_out", "largest", "at")
    left_out = {
        f"{one['set']} {output['output']}: left out, {output['reason']}"
        for one in report["sets"]
        for output in one["differences"]
        if output["reason"]
    }
    said = f"equal: the largest difference is at most {report['tolerance']:g} of the output's largest value"
    return "\n".join([table(report["sets"], columns), "", said, *sorted(left_out)])


def _diagnosis(report: dict[str, Any]) -> str:
    return "\n".join(_finding(check) for check in report["checks"])


def _finding(check: dict[str, Any]) -> str:
    mark = "ok  " if check["ok"] else "MISS" if check["needed"] else "-   "
    remedy = f"; {check['remedy']}" if check["remedy"] else ""
    return f"{mark} {check['name']}: {check['detail']}{remedy}"
