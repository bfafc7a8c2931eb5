"""The operator under everything at once, in real time: `python tests/bench/churn.py --seconds 900`.

A real API server (KUBEBUILDER_ASSETS names its folder) behind a door that breaks every connection each minute, AWS by
the sandbox with throttles, faults of AWS's, resets and answers that broke off, two replicas under the installer's own
rights, of which the second is killed and started and the first paused now and then. Objects of every kind are made,
edited and deleted all the time. At the end all are deleted; it prints what is left, and ends with 1 if anything is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubectl_sagemaker.operator import manifest
from kubectl_sagemaker.operator.rows import ROWS
from kubectl_sagemaker.sandbox.aws import SANDBOX, Account
from kubectl_sagemaker.sandbox.faults import Fault, Faults
from kubectl_sagemaker.sandbox.sagemaker import Stage, ordinary
from kubectl_sagemaker.sandbox.server import PROGRAM
from tests.bench.outage import GROUP, say
from tests.bench.reconcile import cpu
from tests.servers import ApiServer, install_operator
from tests.specs import EDITS, JOBS, SPECS
from tests.transport import serve

OBJECTS: Final = 200
RATES: Final = {Fault.THROTTLED: 0.05, Fault.UNAVAILABLE: 0.05, Fault.RESET: 0.01, Fault.CUT: 0.01}
CUT_SECONDS: Final = 60.0
"""Between two times that every connection to the API server is broken."""
END_SECONDS: Final = 240.0
"""For all to be gone after the last deletion: an endpoint's stages, and the longest wait after faults."""
ENDED: Final = {"Completed", "Failed", "Stopped"}
ROW: Final = {row.api.singular: row for row in ROWS}


class Door:
    """A port that leads to another, whose connections can be broken."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> int:
        """Break every connection; return how many there were."""
        broken = list(self._open)
        for end in broken:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        return len(broken) // 2

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                near.close()
                continue
            self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.discard(source)
        source.close()


class Replicas:
    """The operator's processes, each with its log."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment = environment
        self.folder = folder
        self.started = 0

    def start(self) -> subprocess.Popen[bytes]:
        """Start one more."""
        self.started += 1
        words = ["operator", "run", "--log-format=json", f"--lease-namespace={manifest.NAMESPACE}", "--debug"]
        with (self.folder / f"{self.started:03}.log").open("wb") as log:
            return subprocess.Popen([sys.executable, "-c", PROGRAM, *words], env=self._environment, stderr=log)

    def said(self) -> Counter[str]:
        """What their logs have of what they should not have, and how often each said that it acts."""
        found: Counter[str] = Counter()
        for file in sorted(self.folder.glob("*.log")):
            for line in file.read_text(errors="replace").splitlines():
                found["lines"] += 1
                found["tracebacks"] += "Traceback" in line
                found["went wrong"] += "went wrong" in line
                found["takeovers"] += bool(re.search(r"this replica \(\S+\) acts\b(?! no more)", line))
                found["forbidden"] += bool(re.search(r" (GET|POST|PUT|PATCH|DELETE) /\S+ 403 ", line))
        return found


class Churn:
    """The objects, and what is done to them."""

    def __init__(self, server: ApiServer, chance: random.Random) -> None:
        self._server = server
        self._chance = chance
        self._made = 0
        self.live: dict[tuple[str, str], bool] = {}
        """Those that nobody has deleted, and whether somebody has edited each."""
        self.done: Counter[str] = Counter()

    def step(self) -> None:
        """Make, edit or delete one."""
        if len(self.live) < OBJECTS and self._chance.random() < 0.6:
            self._make(self._chance.choice(list(SPECS)))
        elif self.live and self._chance.random() < 0.3:
            self._edit(*self._chance.choice(list(self.live)))
        elif self.live:
            self.delete(*self._chance.choice(list(self.live)))

    def _path(self, singular: str, name: str = "") -> str:
        path = f"{GROUP}/{ROW[singular].api.plural}"
        return f"{path}/{name}" if name else path

    def _make(self, singular: str) -> None:
        self._made += 1
        # A third has a name that was there before, as when the same manifest is applied again.
        name = f"x{self._chance.randrange(self._made)}" if self._chance.random() < 0.3 else f"x{self._made}"
        api, spec = ROW[singular].api, SPECS[singular]
        if singular == "hostingautoscalingpolicy":
            spec = {**spec, "resourceId": self._scalable()}
            if not spec["resourceId"]:
                return
        body = {"apiVersion": f"{api.group.name}/{api.group.version}", "kind": api.kind, "metadata": {"name": name}}
        status, answer = self._server.request("POST", self._path(singular), {**body, "spec": spec})
        assert status in {201, 409}, answer
        if status == 201:
            self.live[singular, name] = False
            self.done[f"{singular} made"] += 1

    def _scalable(self) -> list[dict[str, str]]:
        found = [thing for thing in self.all("hostingdeployment") if (thing.get("status") or {}).get("endpointName")]
        chosen = self._chance.sample(found, min(len(found), 1))
        return [{"endpointName": one["status"]["endpointName"], "variantName": "AllTraffic"} for one in chosen]

    def _edit(self, singular: str, name: str) -> None:
        again = self.live[singular, name]
        # Back to what it was the second time.
        spec = {member: SPECS[singular].get(member) if again else value for member, value in EDITS[singular].items()}
        self.live[singular, name] = not again
        merge = "application/merge-patch+json"
        status, answer = self._server.request("PATCH", self._path(singular, name), {"spec": spec}, content_type=merge)
        # Somebody's uid may have been deleted, made again, and be on its way.
        assert status in {200, 404, 422}, answer
        self.done["edited" if status == 200 else f"edit {status}: {answer.get('message', '')[:80]}"] += 1

    def delete(self, singular: str, name: str) -> None:
        """Delete one."""
        del self.live[singular, name]
        status, answer = self._server.request("DELETE", self._path(singular, name))
        assert status in {200, 202, 404}, answer
        self.done["deleted"] += 1

    def all(self, singular: str) -> list[dict[str, Any]]:
        """The objects of a kind."""
        status, answer = self._server.request("GET", self._path(singular))
        while status == 429:  # the storage of a definition that is new, or was applied again, is being made
            time.sleep(0.2)
            status, answer = self._server.request("GET", self._path(singular))
        assert status == 200, answer
        return list(answer["items"])

    def states(self) -> dict[str, Counter[str]]:
        """How many objects there are, by kind and state."""
        return {
            singular: Counter((thing.get("status") or {}).get(row.state, "") for thing in self.all(singular))
            for singular, row in ROW.items()
        }

    def left(self) -> list[str]:
        """The objects that are there."""
        return [f"{singular}/{thing['metadata']['name']}" for singular in ROW for thing in self.all(singular)]


def kubeconfig(server: ApiServer, port: int, token: str) -> str:
    """A configuration that goes through the door as the operator's account."""
    config = json.loads(server.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    config["users"][0]["user"] = {"token": token}
    path = server.directory / "operator-kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)


def resident(process: subprocess.Popen[bytes]) -> float:
    """A process's resident memory now, MB."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def kept(account: Account) -> list[str]:
    """What AWS still has that runs or is kept."""
    found = []
    for kind, name in list(account.jobs._resources):
        with contextlib.suppress(Exception):  # one that is gone
            if account.jobs.state(kind, name).get(f"{kind}Status") not in ENDED:
                found.append(f"{kind} {name}")
    scaling = account.scaling
    targets = scaling.call("DescribeScalableTargets", {})["ScalableTargets"]
    policies = scaling.call("DescribeScalingPolicies", {})["ScalingPolicies"]
    return [*found, *(f"target {one['ResourceId']}" for one in targets), *(one["PolicyName"] for one in policies)]


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--logs", help="a folder for the operators' logs; default: one that is removed")
    options = parser.parse_args()
    chance = random.Random(options.seed)  # noqa: S311  # the same each time
    account = Account(now=time.time)

    def lifecycle(kind: str, parameters: Any) -> list[Stage]:
        if kind in {ROW[singular].kind.name for singular in JOBS}:
            end = chance.choice(["Completed", "Completed", "Failed"])
            return [Stage(0, "InProgress", "Starting"), Stage(chance.uniform(5, 90), end, end)]
        return [replace(stage, offset=stage.offset / 4) for stage in ordinary(kind, parameters)]

    account.jobs.lifecycle = lifecycle
    account.jobs.speed = 4.0
    account.faults = Faults(options.seed, RATES)
    with (
        ApiServer() as server,
        serve(account) as endpoint,
        tempfile.TemporaryDirectory() as folder,
    ):
        door = Door(server.port)
        environment = {
            **os.environ,
            "KUBECONFIG": kubeconfig(server, door.port, install_operator(server)),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": SANDBOX.access_key,
            "AWS_SECRET_ACCESS_KEY": SANDBOX.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONWARNINGS": "error",
        }
        logs = Path(options.logs or folder)
        logs.mkdir(exist_ok=True)
        replicas = Replicas(environment, logs)
        churn = Churn(server, chance)
        processes = [replicas.start(), replicas.start()]
        try:
            measure(options.seconds, chance, churn, door, replicas, processes)
            return judge(churn, account, replicas, processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def measure(
    seconds: float,
    chance: random.Random,
    churn: Churn,
    door: Door,
    replicas: Replicas,
    processes: list[subprocess.Popen[bytes]],
) -> None:
    """Churn, and break what can be broken; print the first replica's memory each minute."""
    began = time.monotonic()
    cut_at, harm_at, paused = began + CUT_SECONDS, began + 30, 0.0
    while time.monotonic() < began + seconds:
        churn.step()
        now = time.monotonic()
        if now >= cut_at:
            cut_at += CUT_SECONDS
            broken = door.cut()
            say(
                f"{now - began:4.0f} s: {sum(churn.done.values())} changes, {len(churn.live)} objects, first replica "
                f"{resident(processes[0]):.0f} MB and {cpu(processes[0]):.0f} s of CPU; {broken} connections broken"
            )
        if paused and now >= paused:
            processes[0].send_signal(signal.SIGCONT)
            paused = 0.0
        elif now >= harm_at:
            harm_at += chance.uniform(20, 60)
            if processes[1].poll() is not None:
                processes[1] = replicas.start()
            elif chance.random() < 0.4 and not paused:
                # Longer than the lease lives: the other acts when it goes on.
                processes[0].send_signal(signal.SIGSTOP)
                paused = now + 20
            else:
                processes[1].send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM]))
                processes[1].wait()
        time.sleep(0.15)
    processes[0].send_signal(signal.SIGCONT)
    if processes[1].poll() is not None:
        processes[1] = replicas.start()


def judge(churn: Churn, account: Account, replicas: Replicas, processes: list[subprocess.Popen[bytes]]) -> int:
    """Delete all, and see what is left of it and what was said."""
    say(f"in the end: { {singular: dict(counts) for singular, counts in churn.states().items() if counts} }")
    for singular, name in list(churn.live):
        churn.delete(singular, name)
    began = time.monotonic()
    while (churn.left() or kept(account)) and time.monotonic() < began + END_SECONDS:
        time.sleep(1)
    objects, things = churn.left(), kept(account)
    say(f"{time.monotonic() - began:.0f} s after the last deletion, objects left: {objects or 'none'}")
    say(f"left in AWS: {things or 'nothing'}")
    for process in processes:
        process.send_signal(signal.SIGTERM)
    codes = [process.wait(60) for process in processes]
    said = replicas.said()
    say(f"{replicas.started} processes; they said {dict(said)}; the last two ended with {codes}")
    outcomes = Counter(one.outcome for one in account.journal)
    say(f"changes: {dict(churn.done)}")
    say(f"AWS answered {dict(outcomes)}")
    created = Counter(one.operation for one in account.journal if one.outcome == "ok" and "Create" in one.operation)
    say(f"created: {dict(created)}")
    twice = [
        singular
        for singular in (*JOBS, "hostingdeployment")
        if created[f"Create{ROW[singular].kind.name}"] > churn.done[f"{singular} made"]
    ]
    say(f"started more often than asked for: {twice or 'nothing'}")
    bad = objects or things or twice or said["tracebacks"] or said["went wrong"] or said["forbidden"]
    return 1 if bad or codes != [-signal.SIGTERM] * 2 else 0


if __name__ == "__main__":
    sys.exit(main())
