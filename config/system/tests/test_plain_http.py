"""The WSGI side inside the ASGI server."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.http import FileResponse, HttpResponse, StreamingHttpResponse

from config.system.plain_http import PlainHttp


def scope(path="/", *, method="GET", query=b"", headers=(), **more):
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": list(headers),
        "client": ["192.0.2.7", 4711],
        "server": ["127.0.0.1", 8000],
        **more,
    }


class Client:
    """The server's end of one request: what it sends to the application, and what it gets."""

    def __init__(self, *pieces):
        self.messages = asyncio.Queue()
        self.got = []
        last = len(pieces) - 1
        for number, piece in enumerate(pieces or (b"",)):
            self.messages.put_nowait({"type": "http.request", "body": piece, "more_body": number < last})

    def leave(self):
        self.messages.put_nowait({"type": "http.disconnect"})

    async def send(self, message):
        self.got.append(message)

    async def ask(self, application, request):
        await application(request, self.messages.get, self.send)
        return self

    @property
    def status(self):
        return self.got[0]["status"]

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.got[1:])


def wsgi(answer):
    """A WSGI application that answers with what `answer(environ)` returns, as Django's does."""

    def application(environ, start_response):
        response = answer(environ)
        status = f"{response.status_code} {response.reason_phrase}"
        start_response(
            status,
            [*response.items(), *(("Set-Cookie", c.output(header="")) for c in response.cookies.values())],
        )
        return response

    return application


def plain(answer, **options):
    return PlainHttp(wsgi(answer), threads=2, **options)


async def test_a_whole_answer_is_one_message():
    client = await Client().ask(plain(lambda environ: HttpResponse(b"yes", status=201)), scope())
    assert client.status == 201
    assert client.body == b"yes"
    assert len(client.got) == 2


async def test_the_environment_is_that_of_pep_3333():
    seen = {}
    request = scope(
        "/übersicht/x",
        query=b"a=1&b=%20",
        headers=[(b"host", b"example.org"), (b"content-type", b"text/plain"), (b"x-api-key", b"k")],
        scheme="https",
    )
    await Client().ask(plain(lambda environ: seen.update(environ) or HttpResponse()), request)
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/übersicht/x"
    assert (seen["QUERY_STRING"], seen["wsgi.url_scheme"]) == ("a=1&b=%20", "https")
    assert (seen["HTTP_HOST"], seen["CONTENT_TYPE"], seen["HTTP_X_API_KEY"]) == (
        "example.org",
        "text/plain",
        "k",
    )
    assert (seen["REMOTE_ADDR"], seen["SERVER_PORT"]) == ("192.0.2.7", "8000")


@pytest.mark.parametrize(
    ("path", "method", "on_the_loop"),
    [("/live", "GET", True), ("/live", "HEAD", True), ("/live", "POST", False), ("/else", "GET", False)],
)
async def test_what_is_to_be_answered_at_once_is_not_given_to_a_thread(path, method, on_the_loop):
    seen = []
    site = plain(
        lambda environ: seen.append(threading.get_ident()) or HttpResponse(b"yes"), at_once=("/live",)
    )
    client = await Client().ask(site, scope(path, method=method))
    assert client.status == 200
    assert (seen == [threading.get_ident()]) == on_the_loop


async def test_a_root_path_becomes_the_script_name():
    seen = {}
    await Client().ask(
        plain(lambda environ: seen.update(environ) or HttpResponse()), scope("/app/live", root_path="/app")
    )
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/app", "/live")


async def test_cookies_in_two_headers_are_joined_as_cookies():
    seen = {}
    headers = [(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"accept", b"x"), (b"accept", b"y")]
    await Client().ask(plain(lambda environ: seen.update(environ) or HttpResponse()), scope(headers=headers))
    assert (seen["HTTP_COOKIE"], seen["HTTP_ACCEPT"]) == ("a=1; b=2", "x,y")


async def test_a_body_in_pieces_is_read_whole():
    pieces = [b"x" * 700_000, b"y" * 700_000, b"z"]
    client = await Client(*pieces).ask(
        plain(lambda environ: HttpResponse(str(len(environ["wsgi.input"].read())))), scope(method="POST")
    )
    assert client.body == b"1400001"


async def test_a_client_that_leaves_before_its_body_ends_reaches_no_view():
    called = threading.Event()
    client = Client()
    client.messages = asyncio.Queue()
    client.messages.put_nowait({"type": "http.request", "body": b"half", "more_body": True})
    client.leave()
    await client.ask(plain(lambda environ: called.set() or HttpResponse()), scope(method="POST"))
    assert not called.is_set()
    assert client.got == []


async def test_a_streamed_answer_goes_piece_by_piece():
    pieces = [f"{number},".encode() for number in range(50)]
    client = await Client().ask(plain(lambda environ: StreamingHttpResponse(pieces)), scope())
    assert client.body == b"".join(pieces)
    assert len(client.got) == 52
    assert not client.got[-1].get("more_body")


async def test_a_file_is_sent_whole_and_closed(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"f" * 100_000)
    opened = path.open("rb")
    client = await Client().ask(plain(lambda environ: FileResponse(opened)), scope())
    assert client.body == path.read_bytes()
    assert opened.closed


async def test_a_client_that_leaves_in_the_middle_frees_its_thread():
    """With a2wsgi the thread waits for ever, and after as many such clients as threads nobody is served."""
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.set()

    application = plain(lambda environ: StreamingHttpResponse(endless()))
    clients = [Client() for _ in range(6)]
    tasks = [asyncio.create_task(client.ask(application, scope())) for client in clients]
    await asyncio.sleep(0.1)
    for client in clients:
        client.leave()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert closed.is_set()


async def test_a_request_that_is_cancelled_frees_its_thread_too():
    def endless():
        while True:
            yield b"x"

    application = plain(lambda environ: StreamingHttpResponse(endless()))
    for _ in range(3):
        task = asyncio.create_task(Client().ask(application, scope()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    after = await asyncio.wait_for(
        Client().ask(PlainHttp(wsgi(lambda environ: HttpResponse(b"ok")), threads=1), scope()), 5
    )
    assert after.body == b"ok"
    await asyncio.wait_for(asyncio.to_thread(application.pool.shutdown), 10)


async def test_too_many_at_once_are_told_to_come_back():
    enter, leave = threading.Event(), threading.Event()

    def slow(environ):
        enter.set()
        leave.wait(10)
        return HttpResponse(b"done")

    application = plain(slow, most_waiting=1)
    first = asyncio.create_task(Client().ask(application, scope()))
    await asyncio.to_thread(enter.wait, 10)
    second = await Client().ask(application, scope())
    leave.set()
    assert second.status == 503
    assert (b"retry-after", b"1") in second.got[0]["headers"]
    assert (await first).body == b"done"


async def test_the_pool_bounds_how_many_views_run_at_once():
    running, most, lock = 0, 0, threading.Lock()
    pause = threading.Event()

    def counted(environ):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        pause.wait(0.02)
        with lock:
            running -= 1
        return HttpResponse()

    application = plain(counted)
    await asyncio.gather(*(Client().ask(application, scope()) for _ in range(20)))
    assert most <= 2


async def test_an_error_of_the_application_reaches_the_server():
    def broken(environ, start_response):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await Client().ask(PlainHttp(broken, threads=1), scope())


def test_the_pool_is_bounded():
    assert isinstance(plain(lambda environ: HttpResponse()).pool, ThreadPoolExecutor)
    assert plain(lambda environ: HttpResponse()).pool._max_workers == 2
