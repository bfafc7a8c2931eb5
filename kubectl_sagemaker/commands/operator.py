"""`kubectl sagemaker operator`: run the operator here, or put it into a cluster."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import sys
import threading
import uuid
from importlib.util import find_spec
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from kubectl_sagemaker import times
from kubectl_sagemaker.commands import lacks
from kubectl_sagemaker.errors import Error, Forbidden, Interrupted, NotFound, Usage
from kubectl_sagemaker.kinds import LEGACY
from kubectl_sagemaker.options import ACCOUNT, CONNECTION, DURATION, SELECTOR, TALK, Command, Flag, Parsed, shared

if TYPE_CHECKING:
    from kubectl_sagemaker.env import Env
    from kubectl_sagemaker.kube import Kube
    from kubectl_sagemaker.operator.manifest import Choice

IMAGE: Final = "kubectl-sagemaker"
"""What the Dockerfile's image is called in the documentation; a registry's name goes before it."""


def address(text: str) -> tuple[str, int]:
    """`HOST:PORT`; raises Usage."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise Usage(f"{text!r} is no HOST:PORT", hint="such as 127.0.0.1:8080; port 0 is any that is free")
    return host.strip("[]"), int(port)


def role_arn(text: str) -> str:
    """An IAM role's ARN; raises Usage."""
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", text):
        raise Usage(f"{text!r} is no role's ARN", hint="such as arn:aws:iam::123456789012:role/sagemaker-operator")
    return text


def poll_seconds(text: str) -> float:
    """A duration that leaves AWS time between two requests; raises Usage."""
    seconds = times.duration(text)
    if seconds < 0.1:
        raise Usage(f"{text!r} is too short", hint="AWS would be asked all the time; at least 0.1s")
    return seconds


ROLE: Final = Parsed("ARN", role_arn)
POLL: Final = Parsed("DURATION", poll_seconds)
CHOICES: Final = (
    click.Option(["--image"], help="The container image; default: kubectl-sagemaker at this version."),
    click.Option(["--replicas"], type=click.IntRange(1, 10), default=2, show_default=True, help="How many stand by."),
    click.Option(["--role-arn"], type=ROLE, help="IAM role for its ServiceAccount (IRSA). Without: Pod Identity."),
)


@click.group(
    name="operator",
    help="""The operator: what people apply as TrainingJob, HostingDeployment and the like runs in SageMaker, and its
    state shows in the object. `run` runs it here, with your own credentials; `install` puts it into the cluster.
    """,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
def command() -> None:
    """Hold the verbs together; an archive has none of them."""
    if find_spec("kubectl_sagemaker.operator") is None:
        raise Error(
            "the operator is left out of the archives", hint="a checkout or a pip install has it: see docs/operator.md"
        )


def _choice(values: dict[str, Any]) -> Choice:
    from importlib.metadata import version

    from kubectl_sagemaker.operator.manifest import Choice

    image = values["image"] or f"{IMAGE}:{version('kubectl-sagemaker')}"
    return Choice(image=image, replicas=values["replicas"], role_arn=values["role_arn"])


def _chosen(function: Any) -> Any:
    for option in reversed(CHOICES):
        function.__click_params__ = [option, *getattr(function, "__click_params__", [])]
    return function


@command.command(cls=Command, name="manifest", short_help="Print what installs it, as YAML.")
@_chosen
@shared(TALK)
def print_manifest(env: Env, **values: Any) -> None:
    """Print one YAML document for each object that `operator install` applies: definitions, rights, deployment."""
    import yaml

    from kubectl_sagemaker.operator.manifest import objects

    env.write(yaml.dump_all(objects(_choice(values)), Dumper=_plain(), sort_keys=False, width=120, allow_unicode=True))


def _plain() -> Any:
    """A YAML writer that repeats what is shared: anchors would be read by few people, and not by every tool."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return Plain


@command.command(cls=Command, name="install", short_help="Install it in the cluster, and wait until it is ready.")
@_chosen
@click.option("--timeout", type=DURATION, default="5m", show_default=True, help="How long to wait at most.")
@shared(CONNECTION, TALK)
def install_it(env: Env, timeout: float, **values: Any) -> None:
    """Apply what `operator manifest` prints, and wait until the deployment is available."""
    from kubectl_sagemaker.operator.installation import install

    with env.deadline(timeout):
        install(env.kube, _choice(values), sleep=env.sleep, note=_once(env))
    env.note(f"the operator is ready in namespace {LEGACY.home}")


def _once(env: Env) -> Any:
    """Notes, each of them only when it is another than the last."""
    last = [""]

    def note(text: str) -> None:
        if text != last[0]:
            last[0] = text
            env.note(text)

    return note


@command.command(cls=Command, name="uninstall", short_help="Remove it, once no objects are left.")
@shared(CONNECTION, TALK)
def uninstall_it(env: Env) -> None:
    """Delete all that was installed, definitions too. Refused while there are objects, which are named."""
    from kubectl_sagemaker.operator.installation import uninstall

    uninstall(env.kube, note=env.note)


@command.command(cls=Command, name="run", short_help="Run it here, with your own credentials.")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form of the log."
)
@click.option("--health", type=Parsed("HOST:PORT", address), help="Serve /healthz, /readyz and /metrics there.")
@click.option("--lease-namespace", help="Where its Lease is; default: that of -n, the operator's own, the context's.")
@click.option("--identity", help="This replica's name; default: the host's and a random one.")
@click.option("--workers", type=click.IntRange(1, 64), default=10, show_default=True, help="Looks side by side.")
@click.option("-l", "--selector", type=SELECTOR, hidden=True)  # the sandbox's: what it leaves alone
@click.option("--ack", is_flag=True, hidden=True)  # the sandbox's: there, ACK's objects are reconciled too
@click.option("--tied", is_flag=True, hidden=True)  # the sandbox's: end when stdin is closed
@click.option("--poll", type=POLL, default="5s", show_default=True, help="Time between two lists of changes.")
@shared(CONNECTION, ACCOUNT, TALK)
def run_it(
    env: Env,
    log_format: str,
    health: tuple[str, int] | None,
    lease_namespace: str | None,
    identity: str | None,
    workers: int,
    poll: float,
    selector: str | None,
    ack: bool,
    tied: bool,
) -> None:
    """Reconcile the objects of all namespaces, or of the one that -n names, until Ctrl-C or SIGTERM."""
    if find_spec("prometheus_client") is None:
        raise lacks("operator", "prometheus_client")
    from kubectl_sagemaker.aws import Aws
    from kubectl_sagemaker.kube import Kube
    from kubectl_sagemaker.operator.ack import ACK_ROWS
    from kubectl_sagemaker.operator.loop import Operator, Settings
    from kubectl_sagemaker.operator.rows import ROWS

    _log(log_format, debug=env.debugging, quiet=env.quiet)
    rows = [*ROWS, *ACK_ROWS] if ack else [*ROWS]
    served = {group.name: env.kube.serves(group) for group in {row.api.group for row in rows}}
    if missing := sorted(row.api.resource for row in rows if row.api.plural not in served[row.api.group.name]):
        hint = "install them with `kubectl sagemaker operator manifest | kubectl apply --server-side -f -`"
        raise Error(f"the server has no {', '.join(missing)}", hint=hint)
    settings = Settings(
        namespace=env.connection.namespace,
        lease_namespace=lease_namespace or env.connection.namespace or _home(env.kube),
        identity=identity or replica(),
        workers=workers,
        poll_seconds=poll,
        selector=selector,
    )
    said = logging.getLogger("kubectl_sagemaker.operator").debug
    kube, aws = Kube(env.connection, debug=said), Aws(env.account, debug=said)
    operator = Operator(kube, aws, rows, settings)
    stopped: list[int] = []
    _stop_on_signals(operator.stopping, stopped)
    if tied:
        threading.Thread(target=_wait_for_stdin, args=(operator.stopping,), daemon=True).start()
    where = f"namespace {settings.namespace}" if settings.namespace else "all namespaces"
    env.note(f"the operator runs here for {where}; Ctrl-C stops it")
    env.started()
    if health is None:
        operator.run()
    else:
        _serve(operator, health, env)
    if stopped:
        raise Interrupted(stopped[0])


def replica() -> str:
    """A name for a replica that no other has.

    A container's process is always number 1, and its host's name is the node's where it has the node's network: named
    by these, two replicas took each other's lease for their own (measured).
    """
    return f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"


def _serve(operator: Any, health: tuple[str, int], env: Env) -> None:
    from kubectl_sagemaker.operator.metrics import Health

    paths = {
        "/healthz": lambda: b"ok\n" if operator.alive else None,
        "/readyz": lambda: b"ok\n" if operator.ready else None,
        "/metrics": operator.metrics.text,
    }
    with Health(*health, paths) as server:
        env.debug(f"health and metrics on {health[0]}:{server.port}")
        operator.run()


def _home(kube: Kube) -> str:
    """The operator's own namespace if the cluster has it, so that one that is installed and this one take turns."""
    try:
        kube.annotations(LEGACY.home)
    except (NotFound, Forbidden):
        return kube.namespace
    return LEGACY.home


def _stop_on_signals(stopping: threading.Event, stopped: list[int]) -> None:
    def stop(signum: int, frame: FrameType | None) -> None:
        del frame
        stopped.append(signum)
        stopping.set()

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, stop)


def _wait_for_stdin(stopping: threading.Event) -> None:
    """Stop when whoever started this process has gone."""
    while os.read(0, 1024):
        pass
    stopping.set()


class JsonLines(logging.Formatter):
    """A log record as a line of JSON, with the fields of a transition."""

    def format(self, record: logging.LogRecord) -> str:
        """Make the line."""
        from kubectl_sagemaker.times import rfc3339

        line = {"time": rfc3339(record.created), "level": record.levelname.lower(), "message": record.getMessage()}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class TextLines(logging.Formatter):
    """A log record as a line for people; what clusters and AWS say can neither break it nor drive a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Make the line."""
        from kubectl_sagemaker.text import one_line
        from kubectl_sagemaker.times import rfc3339

        text = f"{rfc3339(record.created)} {one_line(record.getMessage())}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def _log(form: str, *, debug: bool, quiet: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger("kubectl_sagemaker")
    root.addHandler(handler)
    root.propagate = False
    root.setLevel(logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO)


@command.command(cls=Command, name="setup-iam", short_help="Make the IAM roles that it needs.")
@click.option("--cluster-name", required=True, help="The EKS cluster's name.")
@click.option("--role-name", help="The operator's role; default: sagemaker-operator-CLUSTER.")
@click.option("--execution-role-name", help="The role that jobs run as; default: sagemaker-execution-CLUSTER.")
@click.option("--pod-identity", cls=Flag, help="EKS Pod Identity in place of an OIDC provider.")
@click.option("--dry-run", cls=Flag, help="Only print what is to be there.")
@shared(ACCOUNT, TALK)
def setup_iam(
    env: Env,
    cluster_name: str,
    role_name: str | None,
    execution_role_name: str | None,
    pod_identity: bool,
    dry_run: bool,
) -> None:
    """Make, or bring up to date, the OIDC provider, the operator's role and the role that jobs run as; print them as
    JSON. It can be repeated: what is there already stays as it is.
    """
    from kubectl_sagemaker.operator import iam

    region = env.aws.region
    if not region:
        raise Error("no region", hint="name one with --region")
    wanted = iam.plan(
        env.aws,
        region=region,
        cluster=cluster_name,
        role=role_name,
        execution_role=execution_role_name,
        pod_identity=pod_identity,
    )
    if not dry_run:
        for done in iam.carry_out(env.aws, wanted) or ["everything is there already"]:
            env.note(done)
    env.write(json.dumps(wanted.shown(), indent=2) + "\n")
