"""The main job against a whole installation: through its interfaces, and in a browser."""

import json
import os
import subprocess
import sys

import pypdfium2
import pytest
from playwright.sync_api import sync_playwright

from tests.browser.fixtures import FLAGS, chromium
from tests.browser.main_job import PASSWORD, do_main_job
from tests.fakes.openai_server import OpenAIServer
from tests.installation import ROOT, free_port, installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installation")]


def demo(house, *words):
    return subprocess.run(
        [sys.executable, "manage.py", "demo", "--json", "--url", house.url, *words],
        cwd=ROOT,
        env=house.environment,
        capture_output=True,
        text=True,
        timeout=180,
    )


def check(report):
    assert report["invited"] == report["sent"] == report["interviews_completed"] == 4
    assert len(pypdfium2.PdfDocument(report["pdf"]["path"])) == report["pdf"]["pages"] >= 2
    assert report["document"]
    assert report["chunks"] >= 5
    assert report["citations"]
    for citation in report["citations"]:
        assert "/transcript/?message=" in citation["url"]


def test_the_demo_does_the_main_job_without_a_model_as_often_as_one_likes():
    with installation() as house:
        for url in (house.url, f"{house.url}/"):
            done = demo(house, "--url", url)
            assert done.returncode == 0, done.stderr
            report = json.loads(done.stdout)
            check(report)
            assert "we only remind them by phone" in report["answer"]


def test_the_demo_does_the_main_job_with_a_model_of_the_openai_format():
    with OpenAIServer() as provider:
        settings = {"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": provider.base_url}
        with installation(settings) as house:
            done = demo(house)
            assert done.returncode == 0, done.stderr
            check(json.loads(done.stdout))
        asked = {request.path for request in provider.requests}
        assert {"/v1/chat/completions", "/v1/embeddings"} <= asked


def test_the_demo_says_why_it_failed():
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--json", "--url", f"http://127.0.0.1:{free_port()}"],
        cwd=ROOT,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.browser
def test_people_do_the_main_job_in_a_browser(tmp_path):
    program = chromium()
    if not program:
        pytest.skip("There is no Chromium.")
    with (
        installation({"RAPPORT_ADMIN_PASSWORD": PASSWORD}, "--seed-demo") as house,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        pdf = do_main_job(browser, house.url, tmp_path)
        browser.close()
    assert len(pypdfium2.PdfDocument(pdf)) >= 2
