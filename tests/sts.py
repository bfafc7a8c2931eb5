"""An STS on loopback that assumes every role, and an SSO that knows every token: the same keys to whoever asks."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs

KEYS: Final = {"AccessKeyId": "ASIAROLE", "SecretAccessKey": "role/secret", "SessionToken": "role+token//=="}
EXPIRATION: Final = "2099-01-01T00:00:00Z"


class Sts(ThreadingHTTPServer):
    """`asked` has the action of each request, `codes` the MFA code of each that had one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[str] = []
        self.codes: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Sts

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        action = form["Action"][0]
        self.server.asked.append(action)
        self.server.codes += form.get("TokenCode", [])
        keys = "".join(f"<{name}>{text}</{name}>" for name, text in {**KEYS, "Expiration": EXPIRATION}.items())
        user = "<AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId><Arn>arn:aws:sts::1:a/b</Arn></AssumedRoleUser>"
        self._send(
            "text/xml",
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>'
            f"<Credentials>{keys}</Credentials>{user}</{action}Result></{action}Response>",
        )

    def do_GET(self) -> None:
        self.server.asked.append(self.path.partition("?")[0])
        self._send(
            "application/json",
            json.dumps(
                {
                    "roleCredentials": {
                        "accessKeyId": KEYS["AccessKeyId"],
                        "secretAccessKey": KEYS["SecretAccessKey"],
                        "sessionToken": KEYS["SessionToken"],
                        "expiration": 4070908800000,
                    }
                }
            ),
        )

    def _send(self, kind: str, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        pass


@contextlib.contextmanager
def serve() -> Iterator[Sts]:
    """Serve it from a thread."""
    with Sts() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
