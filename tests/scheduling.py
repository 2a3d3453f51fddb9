"""Which of the parallel test processes runs what, and in which order.

A file stays together, so that what its tests share (a running installation, a browser) is made once, and
files of one `xdist_group` come one after another. pytest-xdist 3.8 would do the groups by itself, but puts
them where pytest 9 does not look any more, and then deals all tests out one by one.
"""

import re
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

ROOT = Path(__file__).resolve().parents[1]
GROUP = re.compile(r'xdist_group\("(\w+)"\)')
# What takes longest, longest first: begun late, it would keep one process busy while the others have nothing.
# The reader of hostile files needs no database: meanwhile the others make PostgreSQL's template.
LONGEST = (
    "installation",
    "serve",
    "knowledge/tests/test_hostile_files.py",
    "config/tests/test_url_guards.py",
    "campaigns/tests/browser/test_campaign_pages.py",
    "interviews/tests/browser/test_interview_page.py",
    "campaigns/tests/test_killed_senders.py",
    "knowledge/tests/test_progress.py",
    "campaigns/tests/test_followups.py",
    "crm/tests/test_chat_faults.py",
    "config/system/tests/test_seed_load.py",
    "knowledge/tests/test_migrations.py",
    "campaigns/tests/test_killed_imports.py",
)


@cache
def unit_of(path: str) -> str:
    """The group that a file of tests names, else the file itself."""
    named = GROUP.search((ROOT / path).read_text())
    return named[1] if named else path


class ByFile(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid.partition("::")[0])

    def _assign_work_unit(self, node: WorkerController) -> None:
        first = next((unit for unit in LONGEST if unit in self.workqueue), None)
        if first is not None:
            self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    return ByFile(config, log)  # type: ignore[arg-type]
