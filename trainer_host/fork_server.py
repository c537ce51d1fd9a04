"""The fork server: a process with torch loaded, from which children are forked within milliseconds.

`python -m trainer_host.fork_server FD REFERENCE...`. FD is one end of a socket pair to the agent. Each request is one
byte with two descriptors: the child's end of its message pipe, and a pipe on which the server tells `forked PID` and,
once the child has been reaped, `exited CODE`.

Own code and not `multiprocessing`'s server: that one needs its environment set in the agent, leaves files behind when
the agent is killed, joins children that ignore SIGTERM for ever, and dies of a SIGTERM to the process group.

Rules that keep a fork safe: no thread, no OpenMP region, no CUDA context here, ever; all of that begins in the child.
All children inherit one random state, so a child seeds explicitly.

Nothing outlives the agent: the server ends at the end of file of FD, and the kernel kills its children with it.
"""

import contextlib
import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import traceback

from trainer_host.child import run_child
from trainer_host.recipes.registry import module_of, references

PRELOADED = ("torch", "torch._dynamo", "numpy", "safetensors.torch")
"""`torch._dynamo` because `torch.optim` imports it: 1.4 s of the first attempt of any recipe that uses it."""

_PR_SET_PDEATHSIG = 1


def preload(extra_recipes: tuple[str, ...]) -> None:
    """Import everything a child needs. What does not import is reported by the child that tries it again."""
    for name in (*PRELOADED, *(module_of(reference) for reference in references(extra_recipes).values())):
        # A broken plug-in may raise anything at all, even SystemExit; the child says so in its Hello.
        with contextlib.suppress(BaseException):
            importlib.import_module(name)
    # Keep what is shared out of the collector, or its first run in a child copies every page.
    gc.collect()
    gc.freeze()


def serve(control: socket.socket, extra_recipes: tuple[str, ...]) -> None:
    """Fork a child for each request, and tell the end of each, until the agent is gone."""
    statuses: dict[int, socket.socket] = {}
    wake_read, wake_write = socket.socketpair()
    for end in (wake_read, wake_write):
        end.settimeout(0)
    signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
    # Any handler will do: without one SIGCHLD would not reach the wake-up descriptor.
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if wake_read in ready:
                wake_read.recv(4096)
                _reap(statuses)
            if control in ready:
                request, descriptors, _, _ = socket.recv_fds(control, 1, 2)
                if not request:
                    return
                pipe, status = (socket.socket(fileno=descriptor) for descriptor in descriptors)
                pid = os.fork()
                if pid == 0:
                    inherited = (control, status, wake_read, wake_write, *statuses.values())
                    _become_child(pipe, inherited, extra_recipes)
                pipe.close()
                statuses[pid] = status
                _tell(status, f"forked {pid}\n")


def _reap(statuses: dict[int, socket.socket]) -> None:
    for pid in list(statuses):
        reaped, wait_status = os.waitpid(pid, os.WNOHANG)
        if reaped:
            status = statuses.pop(pid)
            _tell(status, f"exited {os.waitstatus_to_exitcode(wait_status)}\n")
            status.close()


def _tell(status: socket.socket, line: str) -> None:
    # The agent may have closed its end; it is then no longer interested.
    with contextlib.suppress(OSError):
        status.sendall(line.encode())


def _become_child(pipe: socket.socket, inherited: tuple[socket.socket, ...], extra_recipes: tuple[str, ...]) -> None:
    """Never returns: a forked child that unwound into the server's loop would serve requests beside it."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _die_with_parent()
        for descriptor in inherited:
            descriptor.close()
        run_child(pipe, extra_recipes)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the process ends here and says why
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the server dies; without Linux, the child's watch on its pipe is all there is."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent or parent == 1:
        os._exit(1)  # It died before the call.


def main() -> None:
    """Run as the agent's child process."""
    # The agent alone decides when training stops: a Ctrl-C or SIGTERM reaches the whole process group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    extra_recipes = tuple(sys.argv[2:])
    preload(extra_recipes)
    serve(socket.socket(fileno=int(sys.argv[1])), extra_recipes)


if __name__ == "__main__":
    main()
