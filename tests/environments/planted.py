"""What an escaping program would find: files, processes, sockets and variables outside of the sandbox."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

CANARY = "REVERIE_TEST_CANARY"


@contextmanager
def planted(folder: Path, beside: Path) -> Generator[Mapping[str, str]]:
    """Variables that tell a probe where to look. ``beside`` is on the file system of the workspace."""
    mark, canary = secrets.token_hex(8), secrets.token_hex(8)
    secret, unix, abstract = folder / "secret.txt", str(folder / "socket"), f"reverie-{mark}"
    secret.write_text("the secret")
    (beside / "beside.txt").write_text("the secret")
    shm, tmp = Path("/dev/shm", f"reverie-{mark}"), Path("/tmp", f"reverie-{mark}")
    os.environ[CANARY] = canary
    with ExitStack() as stack:
        for path in (shm, tmp):
            path.write_text("the secret")
            stack.callback(path.unlink)
        other = subprocess.Popen(["sleep", "1000", f"0.{int(mark, 16)}"], start_new_session=True)
        stack.callback(other.wait)
        stack.callback(other.kill)
        for family, address in (
            (socket.AF_UNIX, unix),
            (socket.AF_UNIX, f"\0{abstract}"),
            (socket.AF_INET, ("127.0.0.1", 0)),
        ):
            listening = stack.enter_context(socket.socket(family))
            listening.bind(address)
            listening.listen(64)
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        threading.Thread(target=_echo, args=(udp,), daemon=True).start()
        yield {
            "P_SECRET": str(secret),
            "P_BESIDE": str(beside / "beside.txt"),
            "P_SHM": str(shm),
            "P_TMP": str(tmp),
            "P_PID": str(other.pid),
            "P_MARK": str(int(mark, 16))[::-1],
            "P_CANARY": canary[::-1],
            "P_HOSTNAME": socket.gethostname(),
            "P_PORT": str(listening.getsockname()[1]),
            "P_UDP": str(udp.getsockname()[1]),
            "P_ABSTRACT": abstract,
            "P_UNIX": unix,
        }
        assert other.poll() is None  # nobody has killed it
    del os.environ[CANARY]


def _echo(udp: socket.socket) -> None:
    try:
        while True:
            word, sender = udp.recvfrom(100)
            udp.sendto(word, sender)
    except OSError:
        return
