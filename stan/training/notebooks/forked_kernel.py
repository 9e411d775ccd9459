"""A process in; a fork of it that becomes a Jupyter kernel, with all modules that the process has imported, out."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
from typing import Any, ClassVar

from jupyter_client.provisioning import LocalProvisioner


class Kernel:
    """A fork of this process, which becomes a kernel as soon as jupyter_client gives it its arguments.

    It is forked before this process has threads and sockets. It has the interface of a subprocess.Popen.
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
        """End the fork if it never became a kernel."""
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
    """Gives jupyter_client the kernel that this process has forked."""

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
