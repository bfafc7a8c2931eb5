"""What the engine promises on a test's clock holds for real processes: a job with late lines, and faults on its way."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest

from kubectl_sagemaker.sandbox import scenario
from kubectl_sagemaker.sandbox.faults import Fault, Faults
from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.server import Sandbox
from kubectl_sagemaker.sandbox.world import Part
from tests.e2e.shell import shell_of
from tests.e2e.world import ACK

RATES = {
    Fault.THROTTLED: 0.15,
    Fault.UNAVAILABLE: 0.03,
    Fault.PROXY_PAGE: 0.02,
    Fault.RESET: 0.03,
    Fault.EMPTY_PAGE: 0.05,
}
"""Those under which other tools were measured: they lost 20 to 81 % of the lines, or died."""


@pytest.mark.parametrize(
    ("seed", "end", "code", "faults"),
    [(1, "Completed", 0, {}), (2, "Failed", 3, RATES), (3, "Stopped", 4, RATES)],
    ids=["well", "faults-failed", "faults-stopped"],
)
def test_a_followed_job_is_printed_whole_and_once(seed: int, end: str, code: int, faults: dict[Fault, float]) -> None:
    parts = (
        Part(
            resource=f"trainingjobs.{ACK}",
            name="job",
            job_name="job",
            created=-1,
            stages=(Stage(0, "InProgress", "Starting"), Stage(1e9, "Completed", "Completed")),
        ),
    )
    with Sandbox(parts=parts) as sandbox:
        made = scenario.generate(seed, created=time.time() + 1, name="job", seconds=10, lines=300, end=end)
        scenario.play(made, sandbox.account)
        sandbox.account.faults = Faults(seed, faults, operations=("FilterLogEvents",))
        ran = shell_of(sandbox).smlogs("trainingjob", "job", "-f", "-q", "-o", "json")
        over = time.time()
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    printed = Counter((record["stream"], record["message"]) for record in records if record["type"] == "log")
    assert printed == Counter((line.stream, line.message) for line in made.lines if line.visible_at <= over)
    assert sum(printed.values()) == 300
    assert records[-1]["type"] == "end"
    assert (records[-1]["status"], records[-1]["exitCode"], ran.code) == (end, code, code)
