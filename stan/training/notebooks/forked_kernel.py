"""A process in; a fork of it that is a Jupyter kernel, with everything imported that the process has, out."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
from typing import Any, ClassVar

from jupyter_client.provisioning import LocalProvisioner


class Kernel:
    """A fork of this process, which becomes a kernel as soon as jupyter_client says with which arguments.

    It is forked before this process has threads and sockets. Used as a subprocess.Popen is.
    """

    stdin = stdout = stderr = None

    def __init__(self) -> None:
        fork = multiprocessing.get_context("fork")
        awaited, self._arguments = fork.Pipe(duplex=False)
        self._process = fork.Process(target=_become_kernel, args=(awaited, self._arguments))
        self._process.start()
        awaited.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def begin(self, arguments: list[str]) -> None:
        self._arguments.send(arguments)

    def close(self) -> None:
        """Ends it if it never began."""
        self._arguments.close()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()


class Provisioner(LocalProvisioner):
    """Hands jupyter_client the kernel that this process has forked."""

    kernel: ClassVar[Kernel | None] = None

    async def launch_kernel(self, cmd: list[str], **_: Any) -> Any:
        assert self.kernel is not None
        self.kernel.begin(cmd)
        self.process, self.pid = self.kernel, self.kernel.pid
        return self.connection_info


def _become_kernel(awaited: Connection, arguments: Connection) -> None:
    arguments.close()
    with contextlib.suppress(EOFError):
        sys.argv = [*awaited.recv(), f"--IPKernelApp.parent_handle={os.getppid()}"]
        from ipykernel import kernelapp

        kernelapp.launch_new_instance()
