"""Where staff log in."""

import pytest
from django.contrib.auth import get_user_model

from config.system import signing_in

pytestmark = pytest.mark.django_db
PATH = "/admin/login/"


@pytest.fixture
def staff(monkeypatch):
    """Two tries a minute."""
    monkeypatch.setattr(signing_in, "PER_ADDRESS", {"per_second": 0, "per_minute": 2})
    return get_user_model().objects.create_superuser("chief", "", "secret-enough")


def attempt(client, password, address, **headers):
    form = {"username": "chief", "password": password}
    return client.post(PATH, form, REMOTE_ADDR=address, headers=headers)


def test_the_right_password_lets_staff_in(client, staff):
    answer = attempt(client, "secret-enough", "203.0.113.1")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")


def test_one_address_may_not_try_on_and_on(client, staff):
    codes = [attempt(client, f"guess-{number}", "203.0.113.2").status_code for number in range(3)]
    assert codes == [200, 200, 429]
    # Not even with the right one: else an answer would tell which it is.
    refused = attempt(client, "secret-enough", "203.0.113.2", accept="text/html")
    assert refused.status_code == 429
    assert "Too many tries" in refused.content.decode()
    assert int(refused.headers["Retry-After"]) > 0


def test_another_address_and_the_page_itself_are_not_concerned(client, staff):
    for number in range(3):
        attempt(client, f"guess-{number}", "203.0.113.3")
    assert client.get(PATH, REMOTE_ADDR="203.0.113.3").status_code == 200
    assert attempt(client, "secret-enough", "203.0.113.4").status_code == 302


def test_staff_get_in_while_redis_is_away(client, staff, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    assert attempt(client, "secret-enough", "203.0.113.5").status_code == 302
