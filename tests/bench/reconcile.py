"""What the operator costs: `python tests/bench/reconcile.py [--jobs 1000]`. It prints, and asserts nothing.

The sandbox serves the cluster and the account from this process, the operator is a process of its own, as a person
runs it; both share the machine's cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.server import PROGRAM, Sandbox
from tests.specs import TRAINING

JOBS = RESOURCES["trainingjobs.sagemaker.aws.amazon.com"]


def memory(process: subprocess.Popen[bytes]) -> float:
    """A process's greatest resident memory, MB."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def cpu(process: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU that a process has taken."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def until(what: Callable[[], bool]) -> float:
    """Wait; the seconds that it took."""
    began = time.monotonic()
    while not what():
        time.sleep(0.05)
    return time.monotonic() - began


def states(sandbox: Sandbox) -> Counter[str]:
    """How many objects are in each state."""
    things = sandbox.cluster.list(JOBS).items
    return Counter(str((thing.get("status") or {}).get("trainingJobStatus")) for thing in things)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--idle", type=float, default=60, help="seconds of idling that are measured")
    options = parser.parse_args()
    with Sandbox(parts=()) as sandbox:
        account = sandbox.account
        account.jobs.lifecycle = lambda kind, parameters: (Stage(0, "InProgress", "Training"),)
        account.refuses = lambda operation, parameters: None
        account.jobs.started = lambda kind, parameters: None
        words = [sys.executable, "-c", PROGRAM, "operator", "run", "--quiet"]
        process = subprocess.Popen(words, env=sandbox.environment)
        try:
            thing = {"apiVersion": JOBS.api_version, "kind": JOBS.kind, "spec": TRAINING}
            sandbox.cluster.create(JOBS, "default", {**thing, "metadata": {"name": "first"}})
            sys.stdout.write(
                f"first job in progress after the start: {until(lambda: states(sandbox)['InProgress'] == 1):.1f} s\n"
            )
            for number in range(options.jobs):
                sandbox.cluster.create(JOBS, "default", {**thing, "metadata": {"name": f"job-{number}"}})
            waited = until(lambda: states(sandbox)["InProgress"] == options.jobs + 1)
            sys.stdout.write(f"{options.jobs} jobs in progress: {waited:.1f} s, {cpu(process):.1f} s of CPU\n")
            sys.stdout.write(f"requests to AWS: {dict(Counter(one.operation for one in account.journal))}\n")
            time.sleep(40)  # lists overlap for half a minute after the newest change
            before, worked = len(account.journal), cpu(process)
            time.sleep(options.idle)
            asked = Counter(one.operation for one in account.journal[before:])
            sys.stdout.write(f"idle: {asked.total() * 60 / options.idle:.0f} requests to AWS a minute: {dict(asked)}\n")
            sys.stdout.write(
                f"idle: {(cpu(process) - worked) / options.idle:.1%} of a core; memory {memory(process):.0f} MB\n"
            )
            sandbox.cluster.delete(JOBS, "default", "first")
            until(lambda: states(sandbox)["Stopping"] == 1)
            stopped = until(lambda: states(sandbox)["Stopping"] == 0)
            sys.stdout.write(f"a deleted job is gone {stopped - 5:.1f} s after SageMaker has stopped it\n")
            for number in range(options.jobs):
                sandbox.cluster.delete(JOBS, "default", f"job-{number}")
            sys.stdout.write(
                f"{options.jobs} running jobs stopped and gone: {until(lambda: not states(sandbox)):.1f} s\n"
            )
            sys.stdout.write(f"memory {memory(process):.0f} MB\n")
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
