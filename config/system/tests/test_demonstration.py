"""`manage.py demo` at servers that are not what it hopes for. tests/test_main_job.py runs it for real."""

import pytest

from config.system.demonstration import Api, DemonstrationError, base_of


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://127.0.0.1:8000/", "127.0.0.1:8000/admin"])
def test_an_address_is_taken_however_it_is_written(url):
    assert base_of(url) == "http://127.0.0.1:8000"


class Answer:
    status = 200

    async def text(self):
        return "<p>Welcome to another program"


async def test_a_server_that_is_something_else_is_told_in_words():
    with pytest.raises(DemonstrationError, match="GET / answered no JSON"):
        await Api.data_of(Answer(), "GET /")
