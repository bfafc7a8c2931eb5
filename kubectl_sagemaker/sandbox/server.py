"""The sandbox as a whole: the embedded Kubernetes API and AWS, served from one thread on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kubectl_sagemaker.kinds import LEGACY
from kubectl_sagemaker.sandbox import aws, kubernetes
from kubectl_sagemaker.sandbox.access import User
from kubectl_sagemaker.sandbox.cluster import Cluster
from kubectl_sagemaker.sandbox.living import Living
from kubectl_sagemaker.sandbox.parts import PARTS
from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.world import SCRIPTED, Part, World

ELSEWHERE: Final = ("eu-central-1", "eu-west-1", "us-east-1", "us-east-2")
"""Regions that the account is in besides its main one."""
POLL_SECONDS: Final = 1.0
"""How often the operator asks for changes. AWS would be asked less often."""
TICK: Final = 0.2
"""Seconds between two looks of the world's controllers."""
DEPLOYMENTS: Final = RESOURCES["deployments.apps"]
STAND_IN: Final = "no pods run in the sandbox; its own operator does the work"
PROGRAM: Final = "from kubectl_sagemaker.cli import sagemaker; sagemaker()"
CLEARED: Final = ("AWS_", "KUBECTL_SMLOGS_PROFILE", "KUBECTL_SAGEMAKER_PROFILE")
"""Beginnings of variables of the person's own that would lead out of the sandbox, such as AWS_ENDPOINT_URL_LOGS."""


class Sandbox:
    """A context manager: inside it the servers run and `environment` leads to them; after it nothing is left."""

    def __init__(
        self,
        *,
        speed: float = 1.0,
        parts: tuple[Part, ...] = PARTS,
        clock: Callable[[], float] = time.time,
        latency: float = 0.0,
        operator: bool = False,
    ) -> None:
        """`operator`: whether what is applied is started, by an operator in a process of its own."""
        self._pretended: float | None = None
        self._speed = speed
        self._parts = parts
        self._clock = clock
        self._latency = latency
        self._operator = operator
        self.cluster = Cluster(now=lambda: self._pretended if self._pretended is not None else clock())
        self.account = aws.Account(now=clock)
        self.elsewhere = {region: aws.Account(now=clock, region=region) for region in ELSEWHERE}
        for account in self.elsewhere.values():
            account.credentials = self.account.credentials
        self.world = World(self.cluster, self.account, self._pretend, self.elsewhere)
        for account in (self.account, *self.elsewhere.values()):
            Living(self.cluster, account, speed=speed)
        self.environment: dict[str, str] = {}
        self.users: dict[str, User] = {}
        """Whom the Kubernetes API knows, by bearer token; the two of the kubeconfig are added at the start."""
        self.operator: subprocess.Popen[bytes] | None = None
        """The operator's process, while it runs."""
        self._stack = contextlib.ExitStack()

    def _pretend(self, moment: float | None) -> None:
        self._pretended = moment

    def __enter__(self) -> Self:
        """Start the servers; return once they listen."""
        self.cluster.create_namespace("ml")
        self.world.populate(self._parts, start=self._clock(), speed=self._speed)
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="kubectl-sagemaker-")))
        ready: Future[Callable[[], object]] = Future()
        thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(directory, ready)), name="sandbox", daemon=True
        )
        thread.start()
        stop = ready.result()
        self._stack.callback(thread.join)
        self._stack.callback(stop)
        if self._operator:
            self._stack.callback(self._operate(directory))
        return self

    def _operate(self, directory: Path) -> Callable[[], None]:
        """Start the operator; return what ends it. It ends by itself with this process, whatever ends that."""
        # -P: the folder that the person stands in, which can have a click.py, is no place for modules.
        program = [sys.executable, "-P", "-c", PROGRAM]
        poll = max(0.2, POLL_SECONDS / self._speed)
        words = ["operator", "run", "--ack", "--tied", f"--poll={poll}s", f"--selector=!{SCRIPTED}"]
        with (directory / "operator.log").open("wb") as log:
            process = self.operator = subprocess.Popen(
                [*program, *words], env=self.environment, stdin=subprocess.PIPE, stdout=log, stderr=log
            )

        def end() -> None:
            # Nothing outlives the sandbox that it could leave half done.
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()

        return end

    def _stand_in(self) -> None:
        """Say of a deployment of the operator that it is ready: no pods run here, but the sandbox's own operator."""
        if self.operator is None:
            return
        for thing in self.cluster.list(DEPLOYMENTS, LEGACY.home).items:
            count = thing["spec"].get("replicas", 1) if self.operator.poll() is None else 0
            condition = {"type": "Available", "status": str(count > 0), "reason": "Sandbox", "message": STAND_IN}
            status = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
            status |= {"observedGeneration": thing["metadata"]["generation"], "conditions": [condition]}
            self.cluster.patch_status(DEPLOYMENTS, LEGACY.home, thing["metadata"]["name"], status)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the servers and remove what they wrote."""
        self._stack.close()

    async def _serve(self, directory: Path, ready: Future[Callable[[], object]]) -> None:
        """Serve until what `ready` is given is called; `ready` comes with the environment in place."""
        from aiohttp import web

        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        try:
            admin, viewer = secrets.token_hex(16), secrets.token_hex(16)
            self.users |= {admin: kubernetes.ADMIN, viewer: kubernetes.VIEWER}
            runner = web.AppRunner(
                aws.application(self.account, *self.elsewhere.values(), latency=self._latency), access_log=None
            )
            await runner.setup()
            try:
                await web.TCPSite(runner, kubernetes.HOST, 0).start()
                async with kubernetes.serve(self.cluster, self.users) as server:
                    path = directory / "kubeconfig"
                    path.write_text(kubernetes.kubeconfig(server, admin=admin, viewer=viewer), "utf-8")
                    endpoint = f"http://{kubernetes.HOST}:{runner.addresses[0][1]}"
                    self.environment = self._environment(directory, path, endpoint)
                    ready.set_result(lambda: loop.call_soon_threadsafe(stopping.set))
                    while not stopping.is_set():
                        self.world.reconcile()
                        self._stand_in()
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(stopping.wait(), TICK)
            finally:
                await runner.cleanup()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    def _environment(self, directory: Path, kubeconfig: Path, endpoint: str) -> dict[str, str]:
        """This process's environment, pointed at the sandbox and nowhere else."""
        hosts = f"{kubernetes.HOST},localhost"
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(CLEARED)},
            "KUBECONFIG": str(kubeconfig),
            "KUBECACHEDIR": str(directory / "cache"),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": aws.SANDBOX.access_key,
            "AWS_SECRET_ACCESS_KEY": aws.SANDBOX.secret_key,
            "AWS_REGION": self.account.region,
            "AWS_DEFAULT_REGION": self.account.region,
            "AWS_CONFIG_FILE": str(directory / "aws-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(directory / "aws-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": hosts,
            "no_proxy": hosts,
        }
