"""The API server is waited for by one thread while another gets ready for AWS."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = """
import sys
from pathlib import Path
program, mark = sys.argv[1], Path(sys.argv[2])
def seen(event, arguments):
    if event == "import" and arguments[0] == "botocore.session":
        mark.touch()
sys.addaudithook(seen)
sys.argv[:] = ["kubectl-" + program, *sys.argv[3:]]
from kubectl_sagemaker import cli
getattr(cli, program)()
"""


class Server(ThreadingHTTPServer):
    """An API server that answers once the mark is there, or after a minute."""

    mark: Path
    marked: bool = True
    """Whether the mark was there at each answer."""


class Handler(BaseHTTPRequestHandler):
    """Nothing is found."""

    server: Server

    def do_GET(self) -> None:
        end = time.monotonic() + 60
        while not self.server.mark.exists() and time.monotonic() < end:
            time.sleep(0.01)
        self.server.marked &= self.server.mark.exists()
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as started:
        started.mark = tmp_path / "mark"
        thread = threading.Thread(target=started.serve_forever)
        thread.start()
        yield started
        started.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "line",
    [
        "smlogs trainingjob job",
        "smlogs job",
        "smlogs trainingjob -l team=vision",
        "smlogs --all -f",
        "sagemaker status trainingjob job",
        "sagemaker status trainingjob job -w",
    ],
)
def test_what_aws_needs_is_imported_before_the_api_server_has_answered(line: str, server: Server) -> None:
    program, *words = line.split()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            SCRIPT,
            program,
            str(server.mark),
            *words,
            "-s",
            f"http://127.0.0.1:{server.server_port}",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert server.marked
