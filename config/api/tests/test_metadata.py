import logging

import pytest
from django.test.utils import CaptureQueriesContext

from config.api import metadata
from config.api.metadata import RequestFacts, note_model_call, note_retrieval, timestamp

pytestmark = [pytest.mark.urls("config.api.tests.tiny_site"), pytest.mark.django_db(transaction=True)]


def test_a_sane_request_id_is_kept(client):
    response = client.get("/queries", headers={"X-Request-ID": "req_123"})
    assert response.headers["X-Request-ID"] == response.json()["metadata"]["request_id"] == "req_123"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "ünï", "<script>", "a\tb"])
def test_any_other_request_id_is_replaced(client, given):
    made = client.get("/queries", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert made.startswith("req_")
    assert len(made) == 20


def test_the_envelope_counts_the_queries_of_its_request(client):
    for _ in range(2):
        details = client.get("/queries").json()["metadata"]["processing_details"]
        assert details["database_queries"] == 2
        assert 0 < details["database_time"] < 5


async def test_queries_on_other_threads_count_for_the_request_that_waits(async_client):
    response = await async_client.get("/queries-async")
    assert response.json()["metadata"]["processing_details"]["database_queries"] == 1


def test_counting_adds_no_query_and_outlives_other_wrappers(client, django_assert_num_queries):
    from django.db import connection

    with django_assert_num_queries(2):
        client.get("/queries")
    with CaptureQueriesContext(connection):
        connection.close()
        connection.ensure_connection()
    assert connection.execute_wrappers.count(metadata.count_query) == 1


def test_outside_a_request_nothing_is_counted_and_nothing_breaks():
    note_model_call(seconds=1.0, tokens=5)
    note_retrieval(seconds=1.0)
    assert metadata.current() is None
    assert metadata.request_id() == ""
    assert metadata.response_metadata()["processing_details"]["openai_calls"] == 0


def test_model_calls_and_retrieval_are_noted():
    token = metadata._current.set(RequestFacts("req_1"))
    try:
        note_model_call(seconds=0.5, tokens=70)
        note_retrieval(seconds=0.25)
        details = metadata.response_metadata()["processing_details"]
    finally:
        metadata._current.reset(token)
    assert (details["openai_calls"], details["openai_time"], details["total_tokens"]) == (1, 0.5, 70)
    assert details["rag_retrieval_time"] == 0.25


def test_times_end_in_z():
    assert timestamp().endswith("Z")


def test_each_request_is_one_line_without_its_token(client, caplog):
    caplog.set_level(logging.INFO, "rapport.request")
    client.get("/i/abcdefghijklmnop_secret?token=secret-too")
    (record,) = [record for record in caplog.records if record.name == "rapport.request"]
    assert record.getMessage().startswith("GET /i/… 404 ")
    assert "secret" not in record.getMessage()


def test_a_line_feed_in_a_path_forges_no_line(client, caplog):
    caplog.set_level(logging.INFO, "rapport.request")
    client.get("/x%0aGET%20/admin%20200")
    (record,) = [record for record in caplog.records if record.name == "rapport.request"]
    assert "\n" not in record.getMessage()


def test_the_successes_of_probes_are_not_logged(client, caplog):
    caplog.set_level(logging.INFO, "rapport.request")
    client.get("/static/errors.css").close()
    assert [record for record in caplog.records if record.name == "rapport.request"] == []
