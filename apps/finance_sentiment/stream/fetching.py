"""One HTTP document fetched within bounds: so many seconds and bytes, a few redirects, nothing but http and https."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import socket
import threading
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial

import tfarch

MOST_BYTES = 5 << 20  # as sent, and as unpacked
MOST_SECONDS = 20.0
_MOST_REDIRECTS = 5
_LONGEST_RETRY = 86_400.0  # seconds; a server that asks for more is asked again the next day


class FetchError(OSError):
    """Nothing usable came; the message says why, in a few words.

    status: of the answer, if there was one.
    retry_after: seconds that the server asks to be left alone, if it does.
    """

    def __init__(self, message: str, status: int | None = None, retry_after: float | None = None):
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


@dataclass(frozen=True)
class Document:
    """What came.

    content: its bytes, unpacked; None where it is the one that is known already (304).
    etag, modified: what to show the server the next time.
    content_type: as the server names it, with the charset.
    """

    content: bytes | None
    etag: str
    modified: str
    content_type: str = ""


class Fetch:
    """A fetch that another thread may end.

    Args:
        address: http or https.
        etag, modified: of the document that is known.
        seconds: for all of it, to the last byte. Looking up the name may take longer, as the system has it.
    """

    def __init__(self, address: str, etag: str = "", modified: str = "", seconds: float = MOST_SECONDS):
        headers = {
            "User-Agent": f"tfarch/{tfarch.__version__}",
            "Accept": "application/rss+xml, application/atom+xml, application/xml;q=0.9, */*;q=0.1",
            "Accept-Encoding": "gzip",
        }
        headers |= {"If-None-Match": etag} if etag else {}
        headers |= {"If-Modified-Since": modified} if modified else {}
        self._request = urllib.request.Request(address, headers=headers)
        self._known = Document(None, etag, modified)
        self._seconds = seconds
        self._sockets: list[socket.socket] = []
        self._ended, self._finished = threading.Event(), threading.Event()

    def run(self) -> Document:
        """The document.

        Raises:
            FetchError: the server cannot be reached, or answers with an error, too much, too late, or half of it.
        """
        threading.Thread(target=self._watch, name="fetch watch", daemon=True).start()
        try:
            document = self._run()
            if self._ended.is_set():  # a body without a length ends as well where it was broken off
                raise FetchError("broken off")
            return document
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self._ended.is_set():
                raise FetchError(f"no whole answer in {self._seconds:g} s") from error
            if isinstance(error, FetchError):
                raise
            reason = getattr(error, "reason", error)
            raise FetchError(str(getattr(reason, "strerror", None) or reason or type(reason).__name__)) from error
        finally:
            self._finished.set()
            self._ended.set()

    def end(self) -> None:
        """Breaks off what is running."""
        self._ended.set()

    def _run(self) -> Document:
        opener = urllib.request.OpenerDirector()
        # Not build_opener: it adds handlers of files, FTP and data, and no redirect shall lead there.
        for handler in (
            urllib.request.ProxyHandler(),
            _Http(self._sockets),
            _Https(self._sockets),
            _Redirects(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.UnknownHandler(),
        ):
            opener.add_handler(handler)
        try:
            with opener.open(self._request, timeout=self._seconds) as response:
                content, headers = _unpacked(_body(response), response.headers), response.headers
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 304:
                    return self._known
                raise FetchError(f"{error.code} {error.reason}", error.code, _retry_after(error.headers)) from error
        return Document(content, headers.get("ETag", ""), headers.get("Last-Modified", ""), headers.get("Content-Type", ""))

    def _watch(self) -> None:
        """Shuts the connections down when time is up: a timeout of a socket starts anew with every byte."""
        self._ended.wait(self._seconds)
        while not self._finished.is_set():
            self._ended.set()
            for connection in list(self._sockets):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._finished.wait(0.2)  # one that is just being opened is shut down next


class _Kept:
    """A connection that keeps its socket where it can be shut down; urllib forgets it once the headers are there."""

    def __init__(self, sockets: list[socket.socket], *args, **options):
        super().__init__(*args, **options)
        self._sockets = sockets

    def connect(self) -> None:
        super().connect()
        self._sockets.append(self.sock)


class _Connection(_Kept, http.client.HTTPConnection):
    pass


class _SafeConnection(_Kept, http.client.HTTPSConnection):
    pass


class _Http(urllib.request.HTTPHandler):
    def __init__(self, sockets: list[socket.socket]):
        super().__init__()
        self._sockets = sockets

    def http_open(self, request):
        return self.do_open(partial(_Connection, self._sockets), request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, sockets: list[socket.socket]):
        super().__init__()
        self._sockets = sockets

    def https_open(self, request):
        return self.do_open(partial(_SafeConnection, self._sockets), request)


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = _MOST_REDIRECTS


def _body(response: http.client.HTTPResponse) -> bytes:
    """What the server sends, as it sends it."""
    content = bytearray()
    while piece := response.read(1 << 16):
        content += piece
        if len(content) > MOST_BYTES:
            raise FetchError(f"more than {MOST_BYTES >> 20} MB")
    if response.length:  # of what Content-Length promised, what did not come
        raise FetchError(f"the answer broke off, {response.length:,} bytes before its end")
    return bytes(content)


def _unpacked(content: bytes, headers: Message) -> bytes:
    packing = headers.get("Content-Encoding", "identity").strip().lower()
    if packing in ("identity", ""):
        return content
    if packing not in ("gzip", "x-gzip"):
        raise FetchError(f"packed as {packing[:20]}, which was not asked for")
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacking.decompress(content, MOST_BYTES + 1)
    except zlib.error as error:
        raise FetchError("the answer cannot be unpacked") from error
    if len(unpacked) > MOST_BYTES:
        raise FetchError(f"more than {MOST_BYTES >> 20} MB unpacked")
    if not unpacking.eof:
        raise FetchError("the packed answer broke off")
    return unpacked


def _retry_after(headers: Message) -> float | None:
    """Seconds, from a number of them or a date (RFC 9110, 10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_RETRY)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    return min(max(0.0, (moment - datetime.datetime.now(datetime.UTC)).total_seconds()), _LONGEST_RETRY)
