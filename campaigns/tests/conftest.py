"""What every test of campaigns leaves behind: nothing open."""

import pytest

from campaigns.lanes import POOL


@pytest.fixture(autouse=True)
def _no_kept_connections():
    """The mail servers of one test are gone in the next; their connections would be found open much later."""
    yield
    POOL.close()
