"""Every operation of the OpenAPI document, called with odd input: no 500, and each answer as described."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.installation import installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installation")]

CONFIG = Path(__file__).with_name("schemathesis.toml")
CHECKS = (
    "not_a_server_error",
    "response_schema_conformance",
    "status_code_conformance",
    "content_type_conformance",
)


def test_no_operation_fails_and_every_answer_matches_its_schema():
    schemathesis = Path(sys.executable).parent / "schemathesis"
    options = {
        "--checks": ",".join(CHECKS),
        "--max-examples": "3",
        "--workers": "2",
        "--seed": "1",
        "--request-timeout": "40",
    }
    words = [word for option in options.items() for word in option]
    with installation() as house:
        done = subprocess.run(
            [
                str(schemathesis),
                "--config-file",
                str(CONFIG),
                "run",
                f"{house.url}/openapi.json",
                "--no-color",
                *words,
            ],
            capture_output=True,
            text=True,
            timeout=900,
        )
    failures = done.stdout[max(0, done.stdout.find("= FAILURES =")) :]
    assert done.returncode == 0, failures[:12_000] + done.stdout[-1500:] + done.stderr
