"""This process in; what a run's record says about the origin of its numbers out."""

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

from stan.common.cores import cores

COMMAND = "STAN_COMMAND"
"""Environment variable through which a command passes its own command line to the kernels that it starts."""

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
    """Return command, commit, hash of uncommitted changes, package versions, anonymous host, machine and threads."""
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
    """Return the command line. An absolute path is shortened to its part below the working folder, or to its name."""
    if arguments is None:
        by_module = Path(sys.argv[0]).name == "__main__.py"
        arguments = ["stan" if by_module else sys.argv[0], *sys.argv[1:]]
    return shlex.join(_anonymous(argument) for argument in arguments)


def started_by() -> str:
    """Return the command that this process works for: the one that its parent passed on, or its own."""
    return os.environ.get(COMMAND) or command()


def code_state(folder: Path) -> tuple[str | None, str | None]:
    """Return the commit of the repository with this code and the hash of uncommitted changes (None if there are none).

    Both are None if git doesn't track this code.
    """
    if _git(folder, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None, None
    commit = _git(folder, "rev-parse", "HEAD")
    changed = (_git(folder, "status", "--porcelain") or "") + (_git(folder, "diff", "HEAD") or "")
    return commit, hashlib.sha256(changed.encode()).hexdigest()[:12] if changed else None


@cache
def host() -> str:
    """Return a hash that identifies this host without its name: eight hex digits."""
    address = uuid.getnode()
    if address >> 40 & 1:  # made up, and another in each process, as in containers without network tools
        address = 0
    return hashlib.sha256(f"{platform.node()}{address}".encode()).hexdigest()[:8]


def packages() -> dict[str, str]:
    """Return the versions of Python and of those packages that a number may depend on, if they are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"python": platform.python_version()} | found


def machine() -> str:
    """Return the CPU model and the number of cores that this process may use."""
    return f"{_cpu_model()}, {cores()} cores"


def threads() -> int | None:
    """Return the number of threads of torch's operators; None if torch isn't loaded.

    Reading records doesn't need torch.
    """
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else None


def peak_memory_mb() -> float:
    """Return the highest resident memory of this process so far, in MiB."""
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
