"""Fetching from a stranger's address leads nowhere but to where it says, and never inside."""

import asyncio
import ssl
from ipaddress import ip_address

import aiohttp
import pytest

from crm import fetching, media_fetching
from crm.media_content import MediaRefused
from crm.models import MediaFile
from crm.tests.media_samples import HTML, picture
from crm.tests.persona_chatting import Talker
from tests.factories import make_contact
from tests.fakes.web_server import Page, WebServer

NOT_PUBLIC = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.192",
    "198.18.0.1",
    "203.0.113.5",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_inside_or_leading_inside_is_not_public(address):
    assert not fetching.is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is(address):
    assert fetching.is_public(ip_address(address))


class Resolver:
    """Stands in for the machine's: each name has answers, one after another."""

    def __init__(self):
        self.answers = {}
        self.asked = []

    async def __call__(self, host):
        self.asked.append(host)
        answers = self.answers.get(host)
        if not answers:
            raise OSError("no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def resolver(monkeypatch):
    resolver = Resolver()
    monkeypatch.setattr(fetching, "resolve", resolver)
    return resolver


@pytest.fixture
def no_connections(monkeypatch):
    """Whoever connects all the same is caught, whatever is listening there."""
    opened = []

    async def connect(self, *args, **kwargs):
        opened.append(args)
        raise AssertionError("it connected")

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", connect)
    yield
    assert opened == []


async def refusal(url, **options):
    with pytest.raises(MediaRefused) as caught:
        await fetching.fetch(url, **{"most_bytes": 1000, **options})
    return caught.value


HOSTS = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "0177.0.0.1",
    "0",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[fe80::1]",
    "169.254.169.254",
    "169.254.43518",
    "10.0.0.1",
    "192.168.0.1",
]


@pytest.mark.usefixtures("no_connections")
@pytest.mark.parametrize("host", HOSTS)
async def test_no_way_of_writing_an_inner_address_is_followed(resolver, host):
    assert "could not be fetched" in (await refusal(f"https://{host}/a.jpg")).message
    assert resolver.asked == []


SCHEMES = [
    "http://example.com/a.jpg",
    "file:///etc/passwd",
    "ftp://example.com/a.jpg",
    "gopher://example.com/a",
    "data:image/png;base64,AAAA",
    "//example.com/a.jpg",
    "example.com/a.jpg",
    "https:///a.jpg",
    "https://user:password@example.com/a.jpg",
    "https://example.com@127.0.0.1/a.jpg",
    "https://example.com:22/a.jpg",
    "https://example.com:99999/a.jpg",
    "https://[::1/a.jpg",
    "https://[fe80::1%25lo]/a.jpg",
    "https://exam\nple.com/a.jpg",
    "https://example.com/" + "a" * 3000,
    "",
]


@pytest.mark.usefixtures("no_connections")
@pytest.mark.parametrize("url", SCHEMES)
async def test_only_https_at_its_own_port_is_followed(resolver, url):
    assert "https://" in (await refusal(url)).message
    assert resolver.asked == []


@pytest.mark.usefixtures("no_connections")
@pytest.mark.parametrize(
    "addresses",
    [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["8.8.8.8", "::1"], ["64:ff9b::a00:1"], ["fe80::1%lo"], []],
)
async def test_a_name_with_one_inner_address_is_refused_whole(resolver, addresses):
    resolver.answers["pictures.example"] = [addresses]
    assert "could not be fetched" in (await refusal("https://pictures.example/a.jpg")).message


@pytest.mark.usefixtures("no_connections")
async def test_a_name_that_is_not_there_is_refused_in_the_same_words(resolver):
    assert "could not be fetched" in (await refusal("https://nobody.example/a.jpg")).message


async def test_the_connection_goes_to_the_address_that_was_looked_at(resolver, monkeypatch):
    """Rebinding: a name that says something public first, and something else from then on."""
    resolver.answers["pictures.example"] = [["93.184.215.14"], ["127.0.0.1"]]
    reached = []

    async def open_no_socket(*args, addr_infos, **more):
        reached.extend(info[4][0] for info in addr_infos)
        raise OSError("that far and no further")

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", open_no_socket)
    await refusal("https://pictures.example/a.jpg")
    assert reached == ["93.184.215.14"]
    assert resolver.asked == ["pictures.example"]


# --- Over a connection: a server of ours that counts as public ------------------------------------
@pytest.fixture
def web(resolver, monkeypatch):
    with WebServer() as server:
        resolver.answers["pictures.example"] = [["127.0.0.1"]]
        monkeypatch.setattr(fetching, "is_public", lambda address: True)
        monkeypatch.setattr(fetching, "PORT", server.port)
        trusting = ssl.create_default_context(cadata=server.certificate)
        really = fetching.connector

        def connector(addresses):
            made = really(addresses)
            made._ssl = trusting
            return made

        monkeypatch.setattr(fetching, "connector", connector)
        server.url = f"https://pictures.example:{server.port}/a.jpg"
        yield server


async def test_a_file_is_fetched(web):
    web.page = Page(body=picture())
    assert await fetching.fetch(web.url, most_bytes=100_000) == picture()
    [request] = web.requests
    assert request.headers["host"].startswith("pictures.example")
    assert "cookie" not in request.headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(web, status):
    web.page = Page(status=status, headers={"Location": "http://169.254.169.254/"})
    assert "could not be fetched" in (await refusal(web.url)).message
    assert len(web.requests) == 1


@pytest.mark.parametrize("status", [204, 206, 403, 404, 500])
async def test_any_other_answer_is_no_file(web, status):
    web.page = Page(status=status, body=b"SECRET")
    assert "SECRET" not in (await refusal(web.url)).message


@pytest.mark.parametrize("page", [Page(body=bytes(5000)), Page(body=bytes(5000), is_chunked=True)])
async def test_a_file_that_is_too_large_is_given_up(web, page):
    web.page = page
    assert (await refusal(web.url)).reason == "too_large"


async def test_a_server_that_never_ends_is_given_up(web, settings):
    settings.MEDIA_FETCH_SECONDS = 0.3
    web.page = Page(never_ends=True)
    assert "could not be fetched" in (await refusal(web.url)).message
    assert await asyncio.to_thread(web.wait_until, lambda: web.requests[0].aborted)


async def test_a_server_that_speaks_no_http_is_no_file(web):
    web.page = Page(raw=b"220 mail.example.com ESMTP\r\n")
    assert "could not be fetched" in (await refusal(web.url)).message


async def test_a_certificate_of_another_name_is_refused(web, resolver):
    resolver.answers["other.example"] = [["127.0.0.1"]]
    assert "could not be fetched" in (await refusal(web.url.replace("pictures", "other"))).message
    assert web.requests == []


# --- What a message names -----------------------------------------------------------------------
@pytest.fixture
def ada(transactional_db):
    return make_contact(email="ada@example.com")


async def test_while_it_is_off_nothing_is_fetched(ada, resolver):
    url = "https://pictures.example/a.jpg"
    assert await media_fetching.own_references(ada, [url], "image") == [url]
    assert resolver.asked == []


async def test_what_was_fetched_is_an_upload_of_the_persons(ada, web, settings):
    settings.MEDIA_FETCH = True
    web.page = Page(body=picture())
    [key] = await media_fetching.own_references(ada, [web.url], "image")
    row = await MediaFile.objects.aget()
    assert (row.file.name, row.contact_id, row.mime) == (key, ada.pk, "image/jpeg")


async def test_what_was_fetched_is_looked_into(ada, web, settings):
    settings.MEDIA_FETCH = True
    web.page = Page(body=HTML, headers={"Content-Type": "image/jpeg"})
    with pytest.raises(MediaRefused, match="format"):
        await media_fetching.own_references(ada, [web.url], "image")
    assert not await MediaFile.objects.aexists()


# --- Over the persona API -----------------------------------------------------------------------
@pytest.fixture
def alice(transactional_db, flushed_layer, signed_tokens):
    return Talker("alice")


def showing(web, **fields):
    return {"message_type": "image", "media_urls": [web.url], **fields}


async def test_a_message_may_name_a_picture_elsewhere_when_that_is_on(alice, web, settings):
    settings.MEDIA_FETCH = True
    web.page = Page(body=picture())
    chat = await alice.begin()
    body = showing(web, client_message_id="once")
    answers = [await alice.send(chat, body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(answers[0].json()["user_message"]["media_urls"]) == 1
    assert len(web.requests) == 1, "the same message again fetches nothing"


async def test_while_it_is_off_such_a_message_is_refused(alice, web):
    chat = await alice.begin()
    answer = await alice.send(chat, showing(web))
    assert (answer.status_code, answer.json()["error"]) == (422, "validation_error")
    assert web.requests == []


async def test_nothing_is_fetched_for_anothers_chat(alice, web, settings):
    settings.MEDIA_FETCH = True
    chat = await Talker("bob").begin()
    assert (await alice.send(chat, showing(web))).status_code == 404
    assert web.requests == []


async def test_what_cannot_be_fetched_is_said_and_nothing_is_stored(alice, web, settings):
    settings.MEDIA_FETCH = True
    web.page = Page(status=404, body=b"SECRET")
    chat = await alice.begin(greeting="")
    answer = await alice.send(chat, showing(web))
    assert answer.status_code == 422
    assert "could not be fetched" in answer.json()["message"]
    assert (await alice.history(chat)).json()["total"] == 0
