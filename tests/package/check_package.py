"""A clone in; its wheel built, installed apart and used; one line per step out, exit code 1 where one fails.

`python tests/package/check_package.py [FOLDER]`. Everything happens in FOLDER, or else in a folder that is removed
again: `dist/` holds wheel and sdist, `venv/` the wheel with its extra `all`, `empty/` is where every command runs. The
clone is neither the working folder nor on the path of any of them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 6_000_000
"""Bytes that the wheel may have."""
PATIENCE = 600.0
"""Seconds that a command may take."""


class Package:
    """A folder for the built files, an environment that holds the wheel, and an empty folder to work in."""

    def __init__(self, folder: Path):
        self.dist, self.venv, self.empty = folder / "dist", folder / "venv", folder / "empty"
        self.empty.mkdir(parents=True)

    def build(self) -> Path:
        """Builds the sdist, and from it the wheel, whose path it returns."""
        self._run(sys.executable, "-m", "build", "--outdir", self.dist, ROOT)
        (wheel,), (_,) = self.dist.glob("*.whl"), self.dist.glob("*.tar.gz")
        return wheel

    def install(self, wheel: Path) -> None:
        """Installs what `pip install 'stan-video[all]'` would, in the versions that were tested together."""
        self._run(sys.executable, "-m", "venv", self.venv)
        self._run(
            self.venv / "bin/python", "-m", "pip", "install", "-c", ROOT / "constraints.txt", f"{wheel}[all]"
        )

    def stan(self, *words: object, fails: bool = False) -> str:
        """What a command prints, or complains of if it `fails`; RuntimeError unless its exit code is 0, or then 2."""
        return self._run(self.venv / "bin/stan", *words, expect=2 if fails else 0)

    @contextmanager
    def started(self, *words: object) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on until Ctrl-C, which ends it after the block."""
        command = [str(word) for word in (self.venv / "bin/stan", *words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with subprocess.Popen(command, cwd=self.empty, env=environment(), **pipes) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=PATIENCE)

    def _run(self, *words: object, expect: int = 0) -> str:
        command = [str(word) for word in words]
        done = subprocess.run(
            command, cwd=self.empty, env=environment(), capture_output=True, text=True, timeout=PATIENCE
        )
        if done.returncode != expect:
            raise RuntimeError(
                f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stderr if expect else done.stdout


def environment() -> dict[str, str]:
    """This process's environment without what could lead to the clone or to another Python."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}


def addresses(process: subprocess.Popen[str]) -> list[str]:
    """The two addresses of pages that a started command prints."""
    assert process.stdout is not None
    found: list[str] = []
    for line in process.stdout:
        found += [word.rstrip(".,") for word in line.split() if word.startswith("http://")]
        if len(found) >= 2:
            return found[:2]
    raise RuntimeError(f"ended with {process.wait()} before it had printed two addresses")


def status(address: str) -> int:
    """A page's HTTP status, as soon as it answers."""
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as response:
                return response.status
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)


def made(package: Package) -> Iterator[str]:
    """Builds and installs the package; yields a line on each step."""
    wheel = package.build()
    size = wheel.stat().st_size
    assert size < LARGEST, f"{wheel.name} has {size:,} bytes, more than {LARGEST:,}"
    yield f"wheel and sdist built; the wheel has {size / 1e6:.2f} MB"
    package.install(wheel)
    yield "wheel installed with its extra `all`"


def used(package: Package) -> Iterator[str]:
    """Uses the installed package as in the first minutes with it; yields a line on each step."""
    yield f"stan doctor: {package.stan('doctor').strip().splitlines()[-1].strip()}"
    package.stan("notebooks", "--out", "notebooks")
    copied = sorted(path.name for path in (package.empty / "notebooks").glob("*.ipynb"))
    assert "train.ipynb" in copied
    yield f"stan notebooks: {', '.join(copied)}"

    tiny = ("--suite", "retrieval", "--size", "tiny", "--rows", "baseline,stan")
    done = json.loads(package.stan("ablate", "components", *tiny, "--json"))
    yield f"stan ablate: {json.dumps(done)[:200]}"
    report = package.empty / "runs/components/report-retrieval-tiny/ablation.html"
    assert report.exists(), f"{report.name} is missing: the report notebook was not executed"

    videos = next((package.empty / "worlds").glob("retrieval-*/videos/test"))
    package.stan("index", videos, "--library", "libraries/world")
    found = json.loads(package.stan("search", "a red circle", "--library", "libraries/world", "--json"))
    yield f"stan index and stan search: {json.dumps(found)[:200]}"

    for command in (("serve",), ("run", "--size", "tiny")):
        with package.started(*command) as process:
            answers = {address: status(address) for address in addresses(process)}
        assert set(answers.values()) == {200}, answers
        assert process.returncode == 0, f"stan {command[0]} ended with {process.returncode}"
        yield f"stan {' '.join(command)}: {', '.join(f'{address} says {one}' for address, one in answers.items())}"

    package._run(package.venv / "bin/python", "-m", "pip", "uninstall", "-q", "-y", "streamlit")
    yield f"stan dashboard without streamlit: {package.stan('dashboard', fails=True).strip()}"


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary).resolve()
        begun = time.monotonic()
        package = Package(folder)
        for line in chain(made(package), used(package)):
            print(f"{time.monotonic() - begun:6.1f} s  {line}", flush=True)


if __name__ == "__main__":
    main()
