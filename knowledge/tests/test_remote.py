"""Documents that also go to Lyzr: once each, whatever breaks off, and away again with their document."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from knowledge import carrying, remote, tasks
from knowledge.carrying import carry
from knowledge.ingestion import Section, add_document, read_document, remove_collection, remove_document
from knowledge.models import Collection, Document, RemoteCopy
from personas.models import ProviderCredential
from tests.factories import make_account, make_collection
from tests.fakes.lyzr_server import SECRET, Behaviour, Fault

pytestmark = [pytest.mark.usefixtures("lyzr_settings"), pytest.mark.django_db(transaction=True)]
RAG = "rag1"
State = RemoteCopy.State


@pytest.fixture(autouse=True)
def _no_wakes(monkeypatch):
    """Each test says itself when a worker comes."""
    monkeypatch.setattr(remote, "wake", lambda copy_id: None)


@pytest.fixture
def collection(lyzr):
    lyzr.bases[RAG] = {"name": "acme", "documents": []}
    return make_collection(remote="lyzr", remote_id=RAG)


def add(collection, content=b"%PDF-1.4 what Ada said", filename="talk.pdf"):
    """A document that is ready; its PDF comes with the text that was given."""
    sections = [Section("Ada said that the export is slow.", {"messages": [2]})]
    document = add_document(collection, title="Talk", filename=filename, content=content, sections=sections)
    read_document(document.pk)
    document.refresh_from_db()
    return document


def copy_of(document):
    return RemoteCopy.objects.get(document=document)


def work(copy, *, times=1):
    for _ in range(times):
        RemoteCopy.objects.filter(pk=copy.pk).update(not_before=timezone.now())
        carry(copy.pk)
    return RemoteCopy.objects.filter(pk=copy.pk).first()


def texts(lyzr, rag=RAG):
    return [part["text"] for part in lyzr.bases[rag]["documents"]]


def test_a_pdf_is_parsed_and_trained_as_the_parser_gave_it(collection, lyzr):
    document = add(collection)
    copy = work(copy_of(document), times=2)
    assert copy.state == State.TRAINED
    name = f"{document.pk}-talk.pdf"
    assert texts(lyzr) == [f"Part 1 of {name}", f"Part 2 of {name}"]
    assert copy.names == [f"storage/{name}"]
    assert (copy.parts, copy.attempts, copy.lease_until) == (None, 0, None)
    assert copy.answer == {"message": "RAG trained successfully"}
    assert [request.path for request in lyzr.requests] == ["/v3/parse/pdf/", f"/v3/rag/train/{RAG}/"]


def test_what_is_no_pdf_goes_as_the_passages_that_were_read_here(collection, lyzr):
    document = add(collection, content=b"anything", filename="notes.md")
    work(copy_of(document), times=2)
    assert texts(lyzr) == ["Ada said that the export is slow."]
    assert lyzr.asked("/v3/parse/") == []


def test_a_caller_may_wait_for_it(collection, lyzr):
    document = add(collection)
    lyzr.script(Behaviour(fault=Fault.STATUS, status=401))
    assert carrying.train_now(document).state == State.FAILED
    assert carrying.train_now(document).state == State.TRAINED
    assert carrying.train_now(document).state == State.TRAINED
    assert len(lyzr.asked("/v3/rag/train/")) == 1


def test_a_caller_is_not_kept_waiting_by_what_may_pass(collection, lyzr):
    lyzr.script(Behaviour(fault=Fault.STATUS, status=503))
    copy = carrying.train_now(add(collection))
    assert (copy.state, len(lyzr.requests)) == (State.WAITING, 1)


def test_what_stays_here_has_nothing_to_wait_for(lyzr):
    assert carrying.train_now(add(make_collection())) is None


def test_a_document_is_found_here_whatever_becomes_of_its_copy(collection, lyzr):
    lyzr.script(Behaviour(fault=Fault.STATUS, status=500))
    document = add(collection)
    work(copy_of(document))
    document.refresh_from_db()
    assert (document.state, document.chunk_count) == (Document.State.READY, 1)


def test_a_collection_that_stays_here_sends_nothing(lyzr):
    add(make_collection())
    assert not RemoteCopy.objects.exists()
    assert lyzr.requests == []


def test_reading_a_document_again_trains_nothing_again(collection, lyzr):
    document = add(collection)
    copy = work(copy_of(document), times=2)
    remote.queue(document)
    work(copy)
    assert len(lyzr.asked("/v3/rag/train/")) == 1
    assert RemoteCopy.objects.count() == 1


def test_the_same_content_in_another_base_is_another_copy(collection, lyzr):
    lyzr.bases["rag2"] = {"documents": []}
    for place in (collection, make_collection(remote="lyzr", remote_id="rag2")):
        work(copy_of(add(place)), times=2)
    assert len(texts(lyzr)) == len(texts(lyzr, "rag2")) == 2


def test_one_base_of_two_collections_gets_the_same_content_once(collection, lyzr):
    other = make_collection(remote="lyzr", remote_id=RAG)
    add(collection), add(other)
    assert RemoteCopy.objects.count() == 1


def test_a_crash_between_parsing_and_training_goes_on_with_the_training(collection, lyzr):
    copy = work(copy_of(add(collection)))
    assert copy.state == State.PARSED
    # A worker claimed the training and died.
    RemoteCopy.objects.filter(pk=copy.pk).update(
        attempts=1, lease_until=timezone.now() - timedelta(seconds=1)
    )
    assert work(copy).state == State.TRAINED
    assert len(lyzr.asked("/v3/parse/pdf/")) == 1


def test_a_training_whose_answer_was_lost_is_not_done_again(collection, lyzr):
    copy = work(copy_of(add(collection)))
    lyzr.script(Behaviour(fault=Fault.LOST_ANSWER))
    copy = work(copy)
    assert (copy.state, copy.attempts) == (State.PARSED, 1)
    assert work(copy).state == State.TRAINED
    assert len(lyzr.asked("/v3/rag/train/")) == 1
    assert len(texts(lyzr)) == 2


def test_a_training_that_never_began_there_is_done_again(collection, lyzr):
    copy = work(copy_of(add(collection)))
    lyzr.script(Behaviour(fault=Fault.STATUS, status=503))
    assert work(work(copy)).state == State.TRAINED
    assert len(texts(lyzr)) == 2


def test_a_live_lease_is_left_alone(collection, lyzr):
    copy = copy_of(add(collection))
    RemoteCopy.objects.filter(pk=copy.pk).update(lease_until=timezone.now() + timedelta(minutes=1))
    assert carry(copy.pk) is False
    assert lyzr.requests == []


FAULTS = [
    (Behaviour(fault=Fault.STATUS, status=429), State.WAITING),
    (Behaviour(fault=Fault.STATUS, status=500), State.WAITING),
    (Behaviour(fault=Fault.SILENCE), State.WAITING),
    (Behaviour(fault=Fault.DISCONNECT), State.WAITING),
    (Behaviour(fault=Fault.HTML), State.WAITING),
    (Behaviour(fault=Fault.WRONG_SHAPE), State.WAITING),
    (Behaviour(fault=Fault.STATUS, status=401), State.FAILED),
    (Behaviour(fault=Fault.STATUS, status=404), State.FAILED),
]


@pytest.mark.parametrize(("behaviour", "state"), FAULTS)
def test_what_may_pass_is_tried_again_later_and_what_may_not_says_so(collection, lyzr, behaviour, state):
    lyzr.script(behaviour)
    begun = timezone.now()
    copy = work(copy_of(add(collection)))
    assert copy.state == state
    assert copy.error
    assert SECRET not in copy.error
    assert copy.lease_until is None
    assert (copy.not_before > begun + timedelta(seconds=20)) is (state == State.WAITING)


def test_it_gives_up_after_some_attempts_and_a_person_may_repeat_it(collection, lyzr):
    copy = copy_of(add(collection))
    lyzr.script(*[Behaviour(fault=Fault.STATUS, status=500)] * carrying.MOST_ATTEMPTS)
    copy = work(copy, times=carrying.MOST_ATTEMPTS)
    assert copy.state == State.FAILED
    assert remote.repeat(RemoteCopy.objects.all()) == 1
    assert work(copy, times=2).state == State.TRAINED


def test_a_step_that_kills_its_worker_is_given_up(collection, lyzr):
    copy = copy_of(add(collection))
    for _ in range(carrying.MOST_ATTEMPTS):
        assert carrying._claimed(copy.pk)
        RemoteCopy.objects.filter(pk=copy.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert carry(copy.pk) is False
    copy.refresh_from_db()
    assert (copy.state, copy.error) == (State.FAILED, carrying.GIVEN_UP.format(carrying.MOST_ATTEMPTS))


def test_a_repeated_training_uses_the_parts_that_were_made(collection, lyzr):
    copy = work(copy_of(add(collection)))
    lyzr.script(Behaviour(fault=Fault.STATUS, status=401))
    assert work(copy).state == State.FAILED
    remote.repeat(RemoteCopy.objects.all())
    assert work(copy).state == State.TRAINED
    assert len(lyzr.asked("/v3/parse/pdf/")) == 1


def test_a_file_without_text_fails_with_words(collection, lyzr, monkeypatch):
    monkeypatch.setattr("tests.fakes.lyzr_server._parsed", lambda request: (200, {"documents": []}))
    copy = work(copy_of(add(collection)))
    assert (copy.state, copy.error) == (State.FAILED, "Lyzr found no text in it.")


def test_a_missing_file_is_tried_again(collection, lyzr):
    document = add(collection)
    default_storage.delete(document.file.name)
    copy = work(copy_of(document))
    assert copy.state == State.WAITING
    assert "FileNotFoundError" in copy.error


def test_the_accounts_own_key_is_used_and_nothing_of_others(collection, lyzr):
    ProviderCredential.objects.create(account=collection.account, provider="lyzr", secret="sk-own")
    work(copy_of(add(collection)), times=2)
    assert {request.headers["x-api-key"] for request in lyzr.requests} == {"sk-own"}


def test_without_a_key_it_waits_for_a_person(collection, lyzr, lyzr_settings):
    lyzr_settings.PROVIDERS["lyzr"]["API_KEY"] = ""
    copy = work(copy_of(add(collection)))
    assert copy.state == State.FAILED
    assert "no Lyzr key" in copy.error


# --- Away again -------------------------------------------------------------------------------


def test_what_is_removed_here_is_taken_away_there(collection, lyzr):
    kept, gone = add(collection), add(collection, content=b"%PDF-1.4 other", filename="other.pdf")
    for document in (kept, gone):
        work(copy_of(document), times=2)
    copy = copy_of(gone)
    remove_document(gone)
    assert work(copy) is None
    assert texts(lyzr) == [f"Part {n} of {kept.pk}-talk.pdf" for n in (1, 2)]
    assert json.loads(lyzr.asked("/docs/")[0].body) == [f"storage/{gone.pk}-other.pdf"]


def test_taking_away_is_tried_until_it_is_done(collection, lyzr):
    document = add(collection)
    copy = work(copy_of(document), times=2)
    remove_document(document)
    lyzr.script(*[Behaviour(fault=Fault.STATUS, status=401)] * 20)
    copy = work(copy, times=20)
    assert (copy.state, copy.attempts) == (State.LEAVING, 20)
    assert work(copy) is None
    assert texts(lyzr) == []


def test_a_base_that_is_gone_holds_nothing_any_more(collection, lyzr):
    document = add(collection)
    copy = work(copy_of(document), times=2)
    del lyzr.bases[RAG]
    remove_document(document)
    assert work(copy) is None


def test_what_never_went_there_leaves_no_trace(collection, lyzr):
    document = add(collection)
    remove_document(document)
    assert not RemoteCopy.objects.exists()
    assert lyzr.requests == []


def test_what_is_being_trained_is_taken_away_when_that_is_over(collection, lyzr):
    document = add(collection)
    copy = work(copy_of(document))
    lease = timezone.now() + timedelta(minutes=2)
    RemoteCopy.objects.filter(pk=copy.pk).update(train_begun_at=timezone.now(), lease_until=lease)
    remove_document(document)
    copy.refresh_from_db()
    assert (copy.state, copy.not_before, copy.parts) == (State.LEAVING, lease, None)
    assert carry(copy.pk) is False


def test_a_worker_that_comes_late_changes_nothing(collection, lyzr, monkeypatch):
    document = add(collection)
    claimed = carrying._claimed(copy_of(document).pk)
    remove_document(document)
    monkeypatch.setattr(carrying, "_claimed", lambda copy_id: claimed)
    carry(claimed.pk)
    assert not RemoteCopy.objects.exists()


def test_a_whole_collection_goes_away(collection, lyzr):
    copy = work(copy_of(add(collection)), times=2)
    remove_collection(collection)
    assert work(copy) is None
    assert texts(lyzr) == []


def test_copies_in_a_base_that_the_collection_left_can_be_taken_away(collection, lyzr):
    copy = work(copy_of(add(collection)), times=2)
    assert remote.take_away(RemoteCopy.objects.all()) == 0
    Collection.objects.filter(pk=collection.pk).update(remote="", remote_id="")
    assert remote.take_away(RemoteCopy.objects.all()) == 1
    assert work(copy) is None
    assert texts(lyzr) == []


# --- The sweep and the rules ------------------------------------------------------------------


def test_the_sweep_finds_documents_that_were_there_before_and_carries_them(lyzr):
    lyzr.bases[RAG] = {"documents": []}
    collection = make_collection()
    add(collection)
    Collection.objects.filter(pk=collection.pk).update(remote="lyzr", remote_id=RAG)
    for _ in range(2):
        tasks.sweep()
    assert RemoteCopy.objects.get().state == State.TRAINED
    assert remote.queue_missing() == 0


def test_half_a_place_is_refused(db):
    account = make_account()
    with pytest.raises(IntegrityError), transaction.atomic():
        make_collection(account, remote="lyzr")
    with pytest.raises(ValidationError, match="Give both"):
        Collection(account=account, slug="x", name="X", remote_id=RAG).full_clean()


# --- For staff --------------------------------------------------------------------------------


@pytest.fixture
def staff(client, settings):
    settings.ROOT_URLCONF = "config.urls"
    client.force_login(get_user_model().objects.create_superuser("operator", "", "secret-enough"))
    return client


COPIES = "/admin/knowledge/remotecopy/"


def test_staff_see_what_failed_and_repeat_it(staff, collection, lyzr):
    lyzr.script(Behaviour(fault=Fault.STATUS, status=401))
    copy = work(copy_of(add(collection)))
    page = staff.get(COPIES).content.decode()
    assert "did not accept our key" in page
    assert staff.get(f"{COPIES}{copy.pk}/change/").status_code == 200
    staff.post(COPIES, {"action": "repeat", "_selected_action": [copy.pk]})
    copy.refresh_from_db()
    assert (copy.state, copy.error) == (State.WAITING, "")


def test_staff_take_away_only_what_is_left_over(staff, collection, lyzr):
    copy = work(copy_of(add(collection)), times=2)
    asked = {"action": "take_away", "_selected_action": [copy.pk]}
    staff.post(COPIES, asked)
    assert RemoteCopy.objects.get().state == State.TRAINED
    Collection.objects.filter(pk=collection.pk).update(remote="", remote_id="")
    staff.post(COPIES, asked)
    assert RemoteCopy.objects.get().state == State.LEAVING


def test_no_row_is_made_or_lost_by_hand(staff, collection, lyzr):
    copy = work(copy_of(add(collection)), times=2)
    assert staff.get(f"{COPIES}add/").status_code == 403
    assert staff.post(f"{COPIES}{copy.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_list_asks_as_often_for_many(staff, collection, lyzr, django_assert_max_num_queries):
    for number in range(8):
        add(collection, content=f"%PDF-1.4 {number}".encode(), filename=f"{number}.pdf")
    with django_assert_max_num_queries(12):
        staff.get(COPIES)
