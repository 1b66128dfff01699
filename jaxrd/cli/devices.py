"""The options that say which devices, and which processes, share the work."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jax.sharding import Mesh

MeshShape = Annotated[
    str | None,
    typer.Option("--mesh", help="devices that share the work, such as 2x4: 2 groups of slopes, rows over 4 devices"),
]
Distributed = Annotated[
    bool,
    typer.Option("--distributed", help="one of several processes that SLURM, Open MPI or the like started"),
]
Coordinator = Annotated[
    str | None, typer.Option(help="HOST:PORT of process 0, where several processes are started by hand")
]
Processes = Annotated[int | None, typer.Option(help="how many there are")]
Process = Annotated[int | None, typer.Option(help="which one this is, from 0; that one writes the results")]

_SHAPE = re.compile(r"([1-9]\d*)x([1-9]\d*)")
_CHILD = "JAXRD_PROCESS"
"""Set in a process that another one watches."""
_HEARTBEAT = 20  # seconds after which a process that is silent counts as lost
_JOIN = 60  # seconds to wait for the others at the start
_MANY = 2**24
"""Entries from which rows are split rather than slopes, where nothing else was asked."""
_MOST = 2**27
"""Entries for each device beyond which they are not held, where nothing else was asked: some 6 GiB."""


class Devices(NamedTuple):
    """The values of these options."""

    mesh: str | None
    distributed: bool = False
    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None

    @property
    def several_processes(self) -> bool:
        """Whether other processes take part."""
        return self.distributed or self.coordinator is not None

    def check(self) -> None:
        """Refuse options that do not belong together.

        Raises:
            InputError: quotes the value.
        """
        if self.mesh is not None and not _SHAPE.fullmatch(self.mesh):
            raise InputError(f"--mesh must be two numbers such as 2x4, of slopes and of samples; got {self.mesh!r}.")
        by_hand = self.coordinator, self.processes, self.process
        if self.distributed and any(value is not None for value in by_hand):
            raise InputError("--distributed finds the processes itself; --coordinator is for those started by hand.")
        if any(value is None for value in by_hand) and any(value is not None for value in by_hand):
            raise InputError("--coordinator, --processes and --process belong together; one of them is missing.")
        if self.coordinator is not None and not re.fullmatch(r"\S+:\d+", self.coordinator):
            raise InputError(f"--coordinator must be HOST:PORT; got {self.coordinator!r}.")
        if self.processes is not None and self.process is not None and not 0 <= self.process < self.processes:
            raise InputError(f"--process must lie in 0..{self.processes - 1}; got {self.process}.")

    def join(self) -> bool:
        """Meet the other processes; returns whether this one writes the results.

        Raises:
            InputError: they cannot be found.
        """
        if not self.several_processes:
            return True
        if _CHILD not in os.environ:
            _watched()
        import jax

        try:
            jax.distributed.initialize(
                self.coordinator, self.processes, self.process,
                heartbeat_timeout_seconds=_HEARTBEAT, initialization_timeout=_JOIN,
                shutdown_timeout_seconds=_JOIN,
            )  # fmt: skip
        except (ValueError, RuntimeError) as error:
            words = " ".join(str(error).split())[:200]
            raise InputError(f"the processes of this run did not find each other: {words}") from None
        return jax.process_index() == 0

    def chosen(self, entries: int) -> Mesh | None:
        """The mesh that was asked for; else one of all devices, if there are several.

        Args:
            entries: of the largest matrix.

        Raises:
            InputError: there are too few devices.
        """
        import jax
        import numpy as np
        from jax.sharding import Mesh

        devices, found = jax.devices(), _SHAPE.fullmatch(self.mesh or "")
        if found is None and len(devices) == 1:
            return None
        if found is None and not self.several_processes and entries > _MOST * len(devices):
            return None  # one device works on blocks
        if found is None:
            rows = self.several_processes or entries > _MANY
            shape = (1, len(devices)) if rows else (len(devices), 1)
        else:
            shape = int(found[1]), int(found[2])
        wanted = shape[0] * shape[1]
        if wanted > len(devices) or (self.several_processes and wanted < len(devices)):
            there = f"there {'is' if len(devices) == 1 else 'are'} {len(devices)}"
            there += ", and several processes use all of them" if wanted < len(devices) else ""
            raise InputError(f"--mesh {self.mesh} is of {wanted} devices; {there}.")
        return Mesh(np.array(devices[:wanted]).reshape(shape), ("slope", "sample"))


def _watched() -> None:
    """Run this command line in a child, so that one line is left of it where another process of the run is lost.

    JAX ends a process whose partner is gone by an abort, with pages of addresses.

    Raises:
        SystemExit: always, with the child's exit code.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "jaxrd", *sys.argv[1:]],
        env={**os.environ, _CHILD: "1"}, stderr=subprocess.PIPE, text=True, errors="backslashreplace",
    )  # fmt: skip
    assert child.stderr is not None
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    held = []
    for line in child.stderr:
        if line.startswith("jaxrd:"):
            print(line, end="", file=sys.stderr, flush=True)
        else:  # of XLA's transport, or a traceback
            held.append(line)
    code = child.wait()
    if code == -signal.SIGINT:
        raise SystemExit(130)
    if code in (-signal.SIGKILL, -signal.SIGSEGV, -signal.SIGTERM):
        print(f"jaxrd: this process was ended by signal {-code}; nothing is half-written", file=sys.stderr)
        raise SystemExit(2)
    if code < 0 or (code and any("Gloo" in line and "Error" in line for line in held)):
        print("jaxrd: a process of this run was lost; nothing is half-written", file=sys.stderr)
        raise SystemExit(2)
    if code not in (0, 2, 130):
        sys.stderr.writelines(held)
    raise SystemExit(code)
