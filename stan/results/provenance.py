"""This process in; what a run's record says about where its numbers came from out."""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import shlex
import subprocess
import sys
import uuid
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

COMMAND = "STAN_COMMAND"
"""Environment variable by which a command hands its own line down to the kernels that it starts."""

PACKAGES = (
    "stan-video",
    "torch",
    "torchvision",
    "open_clip_torch",
    "lightning-fabric",
    "numpy",
    "einops",
    "decord",
    "av",
    "safetensors",
    "pandas",
    "papermill",
)


def provenance() -> dict[str, Any]:
    """Command, commit, hash of uncommitted changes, package versions, anonymous host, machine and threads."""
    commit, dirty = code_state(Path(__file__).resolve().parent)
    return {
        "command": started_by(),
        "commit": commit,
        "dirty": dirty,
        "packages": packages(),
        "host": host(),
        "machine": machine(),
        "threads": threads(),
    }


def command(arguments: list[str] | None = None) -> str:
    """The command line; of absolute paths only what lies below the working folder, or else the last part."""
    if arguments is None:
        by_module = Path(sys.argv[0]).name == "__main__.py"
        arguments = ["stan" if by_module else sys.argv[0], *sys.argv[1:]]
    return shlex.join(_anonymous(argument) for argument in arguments)


def started_by() -> str:
    """The command that this process works for: what its parent handed down, or its own."""
    return os.environ.get(COMMAND) or command()


def code_state(folder: Path) -> tuple[str | None, str | None]:
    """(commit, hash of what isn't committed or None) of the repository with this code, or two Nones."""
    if _git(folder, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None, None
    commit = _git(folder, "rev-parse", "HEAD")
    changed = (_git(folder, "status", "--porcelain") or "") + (_git(folder, "diff", "HEAD") or "")
    return commit, hashlib.sha256(changed.encode()).hexdigest()[:12] if changed else None


@cache
def host() -> str:
    """This host, without its name."""
    return hashlib.sha256(f"{platform.node()}{uuid.getnode()}".encode()).hexdigest()[:8]


def packages() -> dict[str, str]:
    """Versions of the packages that a number may depend on, as far as they are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"python": platform.python_version()} | found


def machine() -> str:
    """CPU model and the number of cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_cpu_model()}, {cores} cores"


def threads() -> int | None:
    """Threads of torch's operators; None where torch isn't loaded (reading records doesn't need it)."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else None


def peak_memory_mb() -> float:
    """Highest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)  # macOS counts bytes, Linux KiB


def _anonymous(argument: str) -> str:
    name, equals, value = argument.rpartition("=")
    path = Path(value)
    if not path.is_absolute():
        return argument
    kept = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path.name
    return f"{name}{equals}{kept}"


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _cpu_model() -> str:
    description = Path("/proc/cpuinfo")
    if description.exists():
        for line in description.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
