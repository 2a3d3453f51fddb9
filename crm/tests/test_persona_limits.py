"""So many requests a minute and an hour of one user, told in the documented headers."""

import pytest

from crm.tests.persona_chatting import CHATS, User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("signed_tokens")]


@pytest.fixture
def alice():
    return User("alice")


def limits(settings, minute, hour):
    settings.PERSONA_PER_MINUTE, settings.PERSONA_PER_HOUR = minute, hour


def figures(answer):
    return {
        name: answer.headers[f"X-RateLimit-{name}"]
        for name in ("Limit-Minute", "Remaining-Minute", "Limit-Hour", "Remaining-Hour")
    }


def test_every_answer_tells_both_limits(alice, settings):
    limits(settings, 3, 5)
    assert figures(alice.get(CHATS)) == {
        "Limit-Minute": "3", "Remaining-Minute": "2", "Limit-Hour": "5", "Remaining-Hour": "4",
    }  # fmt: skip


def test_a_request_too_many_is_a_429_with_the_documented_body(alice, settings):
    limits(settings, 1, 5)
    alice.get(CHATS)
    answer = alice.get(CHATS)
    body = answer.json()
    assert (answer.status_code, body["error"], body["limit_type"], body["limit"]) == (
        429, "rate_limit_exceeded", "per_minute", 1,
    )  # fmt: skip
    assert 0 < body["retry_after"] <= 60
    assert answer.headers["Retry-After"] == str(body["retry_after"])
    assert figures(answer)["Remaining-Hour"] == "4"


def test_the_hour_has_a_limit_of_its_own(alice, settings):
    limits(settings, 5, 2)
    answers = [alice.get(CHATS) for _number in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    body = answers[-1].json()
    assert (body["limit_type"], body["limit"]) == ("per_hour", 2)
    assert 60 < body["retry_after"] <= 3600
    assert figures(answers[-1])["Remaining-Minute"] == "3"


def test_each_user_has_limits_of_their_own_whichever_token_they_send(alice, settings):
    limits(settings, 1, 5)
    alice.get(CHATS)
    assert alice.get(CHATS).status_code == 429
    assert User("alice", jti="another").get(CHATS).status_code == 429
    assert User("bob").get(CHATS).status_code == 200


def test_reading_of_influencers_is_limited_by_address(client, settings):
    limits(settings, 1, 5)
    assert client.get("/api/v1/influencers").status_code == 200
    assert client.get("/api/v1/influencers").status_code == 429


def test_async_and_plain_views_share_the_count(alice, settings):
    limits(settings, 2, 5)
    chat = "01890000-0000-7000-8000-000000000000"
    assert alice.messages(chat).status_code == 404
    assert alice.get(CHATS).status_code == 200
    assert alice.messages(chat).status_code == 429
