"""The fork server: workers that begin at once, and are watched like any process."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from stream_ocr.runtime.fork_client import KILLED, MAX_FDS, Fork, ForkServer

STANDARD = ("input", "output", "error")


@pytest.fixture
def server() -> Iterator[ForkServer]:
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture
def fork(server: ForkServer) -> Iterator["Forker"]:
    with ExitStack() as stack:
        yield Forker(server, stack)


def soon(condition: Callable[[], bool], within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


class Forker:
    """Forks workers that wait for what they are to do."""

    def __init__(self, server: ForkServer, stack: ExitStack) -> None:
        self.server, self._stack = server, stack

    def __call__(self, fds: list[int] | None = None) -> tuple[Fork, int]:
        theirs, ours = os.pipe()
        fork = self.server.fork(theirs, fds or [])
        os.close(theirs)
        self._stack.callback(fork.close)
        return fork, ours


def test_worker_without_a_spec_exits_quietly(fork: Forker) -> None:
    worker, stdin = fork()
    assert worker.poll() is None
    os.close(stdin)
    assert worker.wait(5) == 0
    assert worker.poll() == 0
    assert not psutil.pid_exists(worker.pid)


def test_workers_are_forks_of_one_process_in_groups_of_their_own(fork: Forker) -> None:
    workers = [fork() for _ in range(3)]
    processes = [psutil.Process(worker.pid) for worker, _ in workers]
    assert len({process.ppid() for process in processes}) == 1
    assert psutil.Process(processes[0].ppid()).ppid() == os.getpid()
    assert [os.getpgid(process.pid) for process in processes] == [process.pid for process in processes]
    for _, stdin in workers:
        os.close(stdin)
    assert [worker.wait(5) for worker, _ in workers] == [0, 0, 0]


def test_fork_reports_the_signal_that_killed_it(fork: Forker) -> None:
    for end, code in ((Fork.terminate, -signal.SIGTERM), (Fork.kill, -signal.SIGKILL)):
        worker, stdin = fork()
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.05)
        end(worker)
        assert worker.wait(5) == code
        end(worker)  # once more does no harm
        os.close(stdin)


def test_worker_that_fails_early_prints_its_error(capfd: pytest.CaptureFixture[str]) -> None:
    with closing(ForkServer()) as server, ExitStack() as stack:  # whose standard error is that of the test
        worker, stdin = Forker(server, stack)()
        os.write(stdin, b"no JSON\n")
        assert worker.wait(5) == 1
        os.close(stdin)
    assert "DecodeError" in capfd.readouterr().err


def test_killed_fork_server_takes_its_workers_along_and_is_replaced(fork: Forker) -> None:
    worker, stdin = fork()
    server = psutil.Process(worker.pid).ppid()
    os.kill(server, signal.SIGKILL)
    assert worker.wait(5) == KILLED
    os.close(stdin)
    other, stdin = fork()
    assert other.poll() is None
    assert psutil.Process(other.pid).ppid() != server
    os.close(stdin)
    assert other.wait(5) == 0


def test_hung_fork_server_is_replaced(fork: Forker) -> None:
    worker, stdin = fork()
    os.kill(psutil.Process(worker.pid).ppid(), signal.SIGSTOP)
    fork.server.timeout_s = 0.2
    other, other_stdin = fork()
    assert (other.wait(5), worker.wait(5)) == (KILLED, KILLED)
    for end in (stdin, other_stdin):
        os.close(end)
    fork.server.timeout_s = 30.0
    third, stdin = fork()
    os.close(stdin)
    assert third.wait(5) == 0


def test_fork_server_without_its_program_exits_quietly() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        command = [sys.executable, "-m", "stream_ocr.runtime.fork_server", str(theirs.fileno()), str(os.getppid())]
        done = subprocess.run(command, pass_fds=[theirs.fileno()], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_worker_inherits_only_the_given_descriptors(fork: Forker, tmp_path: Path) -> None:
    given = [os.open(tmp_path / f"{n}", os.O_CREAT) for n in range(MAX_FDS + 50)]
    other, other_stdin = fork()
    worker, stdin = fork(given)
    for fd in given:
        os.close(fd)
    names = {Path(place.path).name for place in psutil.Process(worker.pid).open_files()}
    assert names == {f"{n}" for n in range(MAX_FDS + 50)}
    assert not psutil.Process(other.pid).open_files()
    server = psutil.Process(psutil.Process(worker.pid).ppid())
    assert not server.open_files()
    assert soon(lambda: psutil.Process(other.pid).num_fds() == len(STANDARD))
    for end in (stdin, other_stdin):
        os.close(end)
    assert (worker.wait(5), other.wait(5)) == (0, 0)
    again, stdin = fork()
    assert soon(lambda: psutil.Process(again.pid).num_fds() == len(STANDARD))
    os.close(stdin)
    assert again.wait(5) == 0


def test_fork_server_ends_with_the_program() -> None:
    program = (
        "import os, signal\n"
        "from stream_ocr.runtime.fork_client import ForkServer\n"
        "print(ForkServer().fork(os.pipe()[0], []).pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert soon(lambda: not psutil.pid_exists(int(done.stdout)))
