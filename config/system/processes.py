"""Child processes: forked from the warm parent or started from a program, and never outliving it."""

import contextlib
import ctypes
import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LARGEST_LOG = 5_000_000  # bytes, when a process starts
OURS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = logging.getLogger(__name__)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies. Linux only; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def open_log(path: Path) -> int:
    """A file descriptor that appends to the log; a log that grew large is first put aside as `.1`."""
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def start_program(command: list[str], *, log_file: Path, folder: Path) -> int:
    """Start a program in a process group of its own; its id."""
    output = open_log(log_file)
    try:
        # Our one thread makes preexec_fn safe here.
        return subprocess.Popen(  # noqa: S603 (our own command line)
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
            preexec_fn=die_with_parent,
        ).pid
    finally:
        os.close(output)


def fork(work: Callable[[], None], *, log_file: Path, close: tuple[int, ...] = ()) -> int:
    """Run `work` in a forked child, in a process group of its own; its id.

    The parent has imported everything already, so a child is at work in a fraction of a second and
    shares the parent's memory. The parent must have one thread and no open database connection.
    """
    gc.freeze()  # what is there already is not touched by the children's collector, so it stays shared
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        _become_child(parent, log_file, close)
        work()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        log.exception("This process failed.")
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _become_child(parent: int, log_file: Path, close: tuple[int, ...]) -> None:
    os.setsid()
    die_with_parent()
    if os.getppid() != parent:  # it died before the kernel knew
        os._exit(1)
    for number in OURS:
        signal.signal(number, signal.SIG_DFL)
    for descriptor in close:
        os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = open_log(log_file)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    for descriptor in {nothing, output} - {0, 1, 2}:
        os.close(descriptor)


def has_ended(pid: int) -> bool:
    """Whether the child has ended. It stays a zombie, so that its process group keeps its number."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def signal_process(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def bury(pid: int) -> int:
    """Kill whatever is left of the child's process group and reap the child; its exit code (-N: signal N)."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return 0
