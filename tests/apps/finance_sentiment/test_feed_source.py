"""Feeds are read as they are found: polite servers and rude ones, whole documents and halves, each told of once and none fatal."""

import contextlib
import datetime
import gzip
import io
import itertools
import json
import random
import socket
import threading
import time
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.finance_sentiment.stream import feed_source, fetching
from apps.finance_sentiment.stream.feed_entries import NotAFeedError, plain_text, read_feed
from apps.finance_sentiment.stream.feed_source import FeedSource, open_feed
from apps.finance_sentiment.stream.fetching import Fetch, FetchError
from apps.finance_sentiment.stream.item import parse_item
from apps.finance_sentiment.stream.source import Reading
from tfarch.data.moments import iso_time
from tfarch.errors import InputError


def rss(*entries, title="The Wire"):
    body = "".join(f"<item>{entry}</item>" for entry in entries)
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>{title}</title>{body}</channel></rss>'.encode()


def entry(number, text=None, minute=0):
    published = f"<pubDate>Mon, 05 Jan 2026 09:{minute:02}:00 GMT</pubDate>"
    return f"<guid>https://wire.example/{number}</guid><title>{text or f'News {number}'}</title>{published}"


class Server:
    """Answers with `answers`, one a request and the last one for ever; keeps what it was asked.

    An answer is (status, headers, body), or a function of the handler.
    """

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((self.path, dict(self.headers), time.monotonic()))
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                if callable(answer):
                    answer(self)
                    return
                status, headers, body = answer
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    if value is not None:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a client that breaks off is what is tested here
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/feed?key=secret"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def serve():
    with contextlib.ExitStack() as stack:

        def run(*answers):
            return stack.enter_context(contextlib.closing(Server(*answers)))

        yield run


@pytest.fixture(autouse=True)
def _directly_and_quickly(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(feed_source, "_LOOK", 0.02)


@pytest.fixture
def said():
    return []


def ok(body, **headers):
    return 200, {"Content-Type": "application/rss+xml", **{name.replace("_", "-"): value for name, value in headers.items()}}, body


def taken(source, count, position=None):
    """The next records, in at most ten seconds."""
    started, found = time.monotonic(), []
    for record in source.read(position):
        found += [record] if record else []
        if len(found) == count:
            break
        assert time.monotonic() < started + 10, f"{len(found)} of {count} records came"
    return found


def looked(source, server, times, position=None):
    """The records up to the given number of requests, and one more look at what has come of the last."""
    started, found = time.monotonic(), []
    for record in source.read(position):
        found += [record] if record else []
        if len(server.requests) > times:
            break
        assert time.monotonic() < started + 10
    return found


def followed(server, said, every=0.05, **options):
    return FeedSource(server.address, Reading(follow=True, every=every, say=said.append), **options)


def once(server, said, **options):
    return list(filter(None, FeedSource(server.address, Reading(say=said.append), **options).read()))


# --- what a feed holds ---


def test_entries_are_items_oldest_first(serve, said):
    server = serve(ok(rss(entry(2, minute=5), entry(1, minute=3))))
    records = once(server, said)
    assert [record.content for record in records] == [
        {"id": f"https://wire.example/{n}", "time": f"2026-01-05T09:0{m}:00Z", "text": f"News {n}", "publisher": "The Wire"}
        for n, m in ((1, 3), (2, 5))
    ]
    assert parse_item(records[0].content).publisher == "The Wire"
    assert records[0].place == f"{server.address.partition('?')[0]}, entry https://wire.example/1"
    assert said == []


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<title>AT&amp;amp;T up</title>", "AT&T up"),
        ("<title>AT&amp;T up</title>", "AT&T up"),
        ("<title><![CDATA[<b>Bold</b> move]]></title>", "Bold move"),
        ("<title>Profit &lt; 5% and P&lt;E</title>", "Profit < 5% and P<E"),
        (
            "<title>Up</title><description>&lt;p&gt;One.&lt;/p&gt;&lt;p&gt;Two&amp;nbsp;&amp;eacute;&lt;/p&gt;</description>",
            "Up. One. Two é",
        ),
        ("<title>Why?</title><description>Because</description>", "Why? Because"),
        ("<title>Up 3%</title><description>&lt;a href='x'&gt;Up 3%&lt;/a&gt; says the wire</description>", "Up 3% says the wire"),
        ("<title>Up</title><description>Up</description>", "Up"),
        ("<description><![CDATA[<script>alert(1)</script><style>b{}</style>Only<br>this]]></description>", "Only this"),
    ],
)
def test_the_text_is_title_and_summary_without_html(markup, expected):
    items, well_formed = read_feed(rss(markup), "http://a.example/feed")
    assert [item["text"] for item in items] == [expected]
    assert well_formed


def test_an_atom_feed_is_read_with_its_own_time_zone_and_the_source_that_an_entry_names():
    feed = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>All news</title><entry><id>urn:a:1</id><title>Up</title>'
        "<updated>2026-01-05T09:00:00+02:00</updated><source><title>Reuters</title></source></entry></feed>"
    )
    ((item,), _) = read_feed(feed.encode(), "http://a.example/feed")
    assert item == {"id": "urn:a:1", "time": "2026-01-05T07:00:00Z", "text": "Up", "publisher": "Reuters"}


def test_an_id_is_never_that_of_another_feed():
    plain = rss(
        '<guid isPermaLink="false">17</guid><title>a</title>', "<link>https://a.example/x</link><title>b</title>", "<title>c</title>"
    )
    names = [{item["text"]: item["id"] for item in read_feed(plain, f"http://{host}/feed")[0]} for host in ("a.example", "b.example")]
    assert names[0]["a"] == "a.example/17"
    assert names[1]["a"] == "b.example/17"
    assert names[0]["b"] == names[1]["b"] == "https://a.example/x"
    assert names[0]["c"] != names[1]["c"]
    assert names[0]["c"] == {item["text"]: item["id"] for item in read_feed(plain, "http://a.example/feed")[0]}["c"]


@pytest.mark.parametrize("date", ["", "<pubDate>soon</pubDate>", "<pubDate>Mon, 05 Jan 0026 09:00:00 GMT</pubDate>"])
def test_an_entry_without_a_usable_time_has_come_now(date):
    before = iso_time(time.time())
    ((item,), _) = read_feed(rss(f"<title>a</title>{date}"), "http://a.example/feed")
    assert before <= item["time"] <= iso_time(time.time())


def test_entries_without_text_are_left_out_and_a_feed_without_a_title_is_called_by_its_host():
    items, _ = read_feed(rss("<guid>x:1</guid>", "<title>a</title>", title=""), "http://a.example:8000/feed")
    assert [(item["text"], item["publisher"]) for item in items] == [("a", "a.example")]


def test_a_feed_in_another_encoding_is_read():
    latin = rss("<title>Nestlé</title>").replace(b'"1.0"?', b'"1.0" encoding="iso-8859-1"?').decode().encode("latin-1")
    assert read_feed(latin, "http://a.example/feed")[0][0]["text"] == "Nestlé"
    assert read_feed(rss("<title>Nestlé</title>"), "http://a.example/feed", "text/xml")[0][0]["text"] == "Nestlé"


def test_a_feed_that_is_not_quite_xml_is_read_as_far_as_it_can_be():
    items, well_formed = read_feed(rss("<title>Profit & loss</title>", "<title>c</title>"), "http://a.example/feed")
    assert [item["text"] for item in items] == ["c", "Profit & loss"]
    assert not well_formed


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a0 "lol">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12))
    + b']><rss version="2.0"><channel><title>&a11;</title><item><title>&a11;</title></item></channel></rss>'
)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"<html><body>Log in</body></html>",
        b"\x00\xff" * 500,
        b"<" * 5000,
        b"</" * 5000,
        b"<![CDATA[" * 500,
        b"<!DOCTYPE " * 500,
    ],
    ids=range(8),
)
def test_what_is_no_feed_is_said_to_be_none(content):
    with pytest.raises(NotAFeedError):
        read_feed(content, "http://a.example/feed")


def test_the_name_of_a_file_is_no_feed(tmp_path):
    """feedparser opens what looks like a file."""
    (tmp_path / "feed.xml").write_bytes(rss("<title>private</title>"))
    with pytest.raises(NotAFeedError):
        read_feed(str(tmp_path / "feed.xml").encode(), "http://a.example/feed")


def test_entities_that_multiply_do_not():
    with contextlib.suppress(NotAFeedError):
        items, _ = read_feed(BOMB, "http://a.example/feed")
        assert sum(len(item["text"]) for item in items) < 1000


def test_half_a_feed_is_not_taken_for_a_whole_one():
    whole = rss(*(entry(number) for number in range(5)))
    for end in range(60, len(whole) - 7, 23):
        with pytest.raises(NotAFeedError):
            read_feed(whole[:end], "http://a.example/feed")


def test_feeds_with_bytes_changed_at_random_are_read_or_refused():
    rng = random.Random(0)
    whole = bytearray(rss(*(entry(number, "A &amp; B &lt;b&gt;c&lt;/b&gt; é") for number in range(4))))
    for _ in range(200):
        broken = whole.copy()
        for _ in range(rng.randint(1, 20)):
            broken[rng.randrange(len(broken))] = rng.choice(b"<>&;'\"[]!/x\x00\xff 0")
        with contextlib.suppress(NotAFeedError):
            for item in read_feed(bytes(broken), "http://a.example/feed")[0]:
                parse_item(item)


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("a<br>b", "a b"),
        ("a<b>b</b>c", "abc"),
        ("a &lt; b", "a < b"),
        ("<p>a</p>\n<p>b</p>", "a b"),
        ("a<!-- no -->b", "ab"),
        ("5 < 6", "5 < 6"),
        ("&amp;lt;", "&lt;"),
        ("<script>if (a<b) x()</script>c", "c"),
    ],
)
def test_html_becomes_what_a_reader_sees(markup, expected):
    assert plain_text(markup) == expected


# --- asking for it ---


def test_a_feed_is_asked_again_and_gives_what_is_new_or_reads_otherwise(serve, said):
    server = serve(ok(rss(entry(1))), ok(rss(entry(2), entry(1))), ok(rss(entry(2, "News 2, corrected"), entry(1))))
    records = taken(followed(server, said), 3)
    assert [record.content["text"] for record in records] == ["News 1", "News 2", "News 2, corrected"]
    gaps = [later[2] - earlier[2] for earlier, later in itertools.pairwise(server.requests)]
    assert min(gaps) >= 0.05
    assert said == []


def test_an_entry_without_a_time_is_new_once(serve, said):
    server = serve(ok(rss("<title>a</title>")))
    assert len(looked(followed(server, said), server, 3)) == 1


def test_the_server_is_shown_what_is_known_and_may_answer_that_nothing_changed(serve, said):
    modified = "Mon, 05 Jan 2026 09:00:00 GMT"
    server = serve(ok(rss(entry(2), entry(1)), ETag='"v1"', Last_Modified=modified), (304, {}, b""))
    records = looked(followed(server, said), server, 3)
    assert len(records) == 2
    assert "If-None-Match" not in server.requests[0][1]
    for _, headers, _ in server.requests[1:]:
        assert (headers["If-None-Match"], headers["If-Modified-Since"]) == ('"v1"', modified)
    assert said == []
    # After a restart: behind the first entry the document is not done with, behind the last it is.
    positions = [json.loads(json.dumps(record.position)) for record in records]
    server.answers[:] = [ok(rss(entry(2), entry(1)), ETag='"v1"')]
    server.requests.clear()
    assert [record.content["text"] for record in taken(followed(server, said), 1, positions[0])] == ["News 2"]
    assert "If-None-Match" not in server.requests[0][1]
    server.requests.clear()
    assert looked(followed(server, said), server, 1, positions[1]) == []
    assert server.requests[0][1]["If-None-Match"] == '"v1"'


def test_what_is_kept_of_entries_is_bounded_and_the_newest_count(serve, said, monkeypatch):
    monkeypatch.setattr(feed_source, "MOST_ENTRIES", 5)
    monkeypatch.setattr(feed_source, "_MOST_SEEN", 10)
    server = serve(*(ok(rss(*(entry(f"{page}-{n}", minute=n) for n in range(8)))) for page in range(4)))
    records = looked(followed(server, said), server, 5)
    assert [record.content["id"][-3:] for record in records] == [f"{page}-{n}" for page in range(4) for n in range(3, 8)]
    assert max(len(record.position["seen"]) for record in records) == 10


def test_a_packed_feed_is_unpacked_and_a_bomb_is_not(serve, said):
    server = serve(ok(gzip.compress(rss(entry(1))), Content_Encoding="gzip"))
    assert len(once(server, said)) == 1
    assert server.requests[0][1]["Accept-Encoding"] == "gzip"
    bomb = serve(ok(gzip.compress(b" " * (200 << 20), 9), Content_Encoding="gzip"))
    assert once(bomb, said) == []
    assert len(said) == 1
    assert "more than 5 MB unpacked" in said[0]


def redirect(to, status=302):
    return status, {"Location": to}, b""


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"x" * 65536)


def dripping_headers(handler):
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.02)


def dripping_body(handler):
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.02)


def silent(handler):
    time.sleep(1.5)


def half(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(rss(entry(1))[:100])


def half_of_chunks(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"40\r\n<rss>")


def no_http(handler):
    handler.wfile.write(b"220 smtp.example ESMTP\r\n")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((404, {}, b"no"), "404 Not Found"),
        ((500, {}, b"no"), "500 Internal Server Error"),
        (ok(b"<html>Log in</html>"), "neither RSS nor Atom"),
        (ok(rss(entry(1))[:-40], Content_Length=None), "breaks off before its end"),
        (ok(b"rubbish", Content_Encoding="gzip"), "cannot be unpacked"),
        (ok(gzip.compress(rss(entry(1)))[:-30], Content_Encoding="gzip"), "packed answer broke off"),
        (ok(b"rubbish", Content_Encoding="br"), "packed as br"),
        (redirect("ftp://127.0.0.1/feed"), "unknown url type: ftp"),
        (redirect("file:///etc/hostname"), "302"),
        (redirect("/feed"), "redirect"),
        (redirect("http://127.0.0.1:9/"), "Connection refused"),
        (endless, "more than 5 MB"),
        (half, "broke off, 900 bytes before its end"),
        (half_of_chunks, "IncompleteRead"),
        (no_http, "220 smtp.example ESMTP"),
        (dripping_headers, "no whole answer in 0.5 s"),
        (dripping_body, "no whole answer in 0.5 s"),
        (silent, "no whole answer in 0.5 s"),
    ],
)
def test_a_server_that_misbehaves_is_told_of_and_is_not_fatal(serve, said, answer, says):
    server = serve(answer)
    started = time.monotonic()
    assert once(server, said, seconds=0.5 if callable(answer) and answer is not endless else 20.0) == []
    assert time.monotonic() < started + 3
    assert len(said) == 1
    assert says in said[0]
    assert "secret" not in said[0]


def test_a_redirect_is_followed(serve, said):
    server = serve(redirect("/elsewhere", 301), ok(rss(entry(1))))
    assert len(once(server, said)) == 1
    assert [path for path, *_ in server.requests] == ["/feed?key=secret", "/elsewhere"]
    assert said == []


def test_a_server_that_is_not_there_is_told_of(said):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert list(FeedSource(f"http://127.0.0.1:{port}/", Reading(say=said.append)).read()) != [0]
    assert len(said) == 1
    assert "Connection refused" in said[0]


def test_an_error_is_told_once_and_so_is_its_end(serve, said):
    server = serve((500, {}, b""), (500, {}, b""), (404, {}, b""), ok(rss(entry(1))), ok(rss(entry(2), entry(1))), (500, {}, b""))
    records = looked(followed(server, said, every=0.01), server, 6)
    assert len(records) == 2
    shown = server.address.partition("?")[0]
    assert said == [
        f"{shown}: 500 Internal Server Error; it is asked again later",
        f"{shown}: 404 Not Found; it is asked again later",
        f"{shown} answers again",
        f"{shown}: 500 Internal Server Error; it is asked again later",
    ]


def test_a_feed_that_is_gone_for_good_ends(serve, said):
    server = serve(ok(rss(entry(1))), (410, {}, b""))
    assert len(list(filter(None, followed(server, said).read()))) == 1
    assert len(said) == 1
    assert "410 Gone; the feed has ended" in said[0]


def test_pauses_grow_with_failures_up_to_a_quarter_of_an_hour_and_are_drawn_at_random(said):
    source = FeedSource("http://a.example/", Reading(every=60.0, say=said.append))
    error = FetchError("no")
    drawn = {}
    for source._failures in (1, 2, 3, 10, 1000):
        drawn[source._failures] = [source._seconds_until_next(error) for _ in range(200)]
    for failures, longest in ((1, 120), (2, 240), (3, 480), (10, 900), (1000, 900)):
        assert longest / 2 <= min(drawn[failures]) < longest * 0.6
        assert longest * 0.9 < max(drawn[failures]) <= longest
    assert source._seconds_until_next(None) == 60.0
    assert source._seconds_until_next(FetchError("no", 503, 5000.0)) == 5000.0


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_to_be_left_alone_is(serve, said, status):
    server = serve((status, {"Retry-After": "1"}, b""), ok(rss(entry(1))))
    taken(followed(server, said, every=0.01), 1)
    assert server.requests[1][2] - server.requests[0][2] >= 1.0


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("120", 120, 120),
        (3600, 3500, 3600),
        ("Mon, 05 Jan 2015 09:00:00 GMT", 0, 0),
        ("9" * 300, 86_400, 86_400),
    ],
    ids=["seconds", "a date to come", "a date gone by", "a number too large"],
)
def test_the_time_to_leave_a_server_alone_is_seconds_or_a_date(serve, value, low, high):
    if isinstance(value, int):  # seconds from now, as the date of then
        value = format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=value), usegmt=True)
    server = serve((503, {"Retry-After": value}, b""))
    with pytest.raises(FetchError) as error:
        Fetch(server.address).run()
    assert low <= error.value.retry_after <= high


@pytest.mark.parametrize("value", ["soon", "-5", ""])
def test_a_time_that_is_none_is_not_waited_for(serve, value):
    server = serve((503, {"Retry-After": value}, b""))
    with pytest.raises(FetchError) as error:
        Fetch(server.address).run()
    assert error.value.retry_after is None


def test_while_a_server_is_silent_the_engine_is_given_time_and_closing_ends_it(serve, said):
    server = serve(silent)
    source = followed(server, said)
    started = time.monotonic()
    records = source.read()
    assert [next(records) for _ in range(5)] == [None] * 5
    source.close()
    assert list(records) == []
    assert time.monotonic() < started + 1
    assert said == []


def test_nothing_goes_on_after_a_fetch(serve):
    server = serve(ok(rss(entry(1))), dripping_body)
    for seconds in (5.0, 0.2):
        with contextlib.suppress(FetchError):
            Fetch(server.address, seconds=seconds).run()
    time.sleep(0.3)
    assert not [thread for thread in threading.enumerate() if thread.name == "fetch watch"]


@pytest.mark.parametrize("every", [0.0, -1.0, 0.5, float("nan")])
def test_a_feed_is_not_asked_more_than_once_a_second(every):
    with pytest.raises(InputError, match="at least 1"):
        open_feed("http://a.example/feed", Reading(every=every))


def test_a_document_of_more_than_the_most_is_not_read_whole(serve, monkeypatch):
    monkeypatch.setattr(fetching, "MOST_BYTES", 1 << 20)
    sent = io.BytesIO()

    def counted(handler):
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while sent.tell() < 64 << 20:
                sent.write(b" " * 65536)
                handler.wfile.write(b" " * 65536)

    server = serve(counted)
    with pytest.raises(FetchError, match="more than 1 MB"):
        Fetch(server.address).run()
    assert sent.tell() < 32 << 20  # what lies in the system's buffers is sent all the same
