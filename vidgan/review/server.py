"""The review page served to browsers on this machine: it saves choices as one goes and makes exports.

Every address begins with a random token, so that only those who were given the link get anything. A browser names a
movie by digits that the server gave out, never by a path, so there is no way out of the folder. Requests that name
another host (a web site that has its name point here) or come from another site's page are refused, as are large bodies
and methods other than GET, HEAD and POST.

    GET  /TOKEN/                    the page
    GET  /TOKEN/movies/0123abcd     a movie; ranges of bytes, so that players can seek
    GET  /TOKEN/changes?since=17    what was chosen after revision 17
    POST /TOKEN/changes             one change
    GET  /TOKEN/export/picks.otio   the picks, in any format of `vidgan.review.picks`
"""

from __future__ import annotations

import json
import re
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

from vidgan.errors import RequestError, VidganError
from vidgan.review.choices import Choices, ChoicesFile, parse_change
from vidgan.review.gallery import Gallery, movies_of
from vidgan.review.gallery_page import gallery_page
from vidgan.review.picks import PICKS_SUFFIXES, picks_of, write_picks

HOST = "127.0.0.1"

# Bytes of one change: the longest note, several times over.
LARGEST_BODY = 64 * 1024

# Seconds that a silent connection is kept.
PATIENCE = 30

_CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".webm": "video/webm",
    ".csv": "text/csv; charset=utf-8",
    ".edl": "text/plain; charset=utf-8",
    ".otio": "application/json",
}


class ReviewServer(ThreadingHTTPServer):
    """Serves one gallery until `shutdown`. `port` 0 takes any that is free."""

    daemon_threads = True
    request_queue_size = 128  # a browser opens several connections at once, and may be one of many

    def __init__(self, gallery: Gallery, *, port: int = 0, token: str | None = None) -> None:
        """Raises `RequestError` if the port is in use."""
        self.gallery = gallery
        self.choices = ChoicesFile(gallery.folder)
        self.token = token or secrets.token_urlsafe(24)
        self.movies = {movie.address: movie.shown for movie in movies_of(gallery)}
        self.takes = {take.key for take in gallery.takes}
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise RequestError(f"port {port} cannot be used ({error.strerror}); leave --port out to take any") from None
        self.hosts = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    @property
    def address(self) -> str:
        """The link to open."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"


class _Refused(Exception):
    """A request that gets no answer but this."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "vidgan", ""
    timeout = PATIENCE
    server: ReviewServer

    def do_GET(self) -> None:
        self._answer(self._get)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, work) -> None:
        try:
            work(*self._checked())
        except _Refused as refused:
            self._send_json(refused.status, {"error": str(refused)}, close=True)
        except VidganError as error:
            self._send_json(HTTPStatus.CONFLICT, {"error": str(error)})
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the browser wants no more of it, as players do all the time

    def _checked(self) -> tuple[str, dict[str, list[str]]]:
        """(path after the token, query) of a request that may have an answer."""
        if self.headers.get_all("Host") not in [[host] for host in self.server.hosts]:
            raise _Refused(HTTPStatus.FORBIDDEN, "this server answers to its own name only")
        origin = self.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self.server.hosts:
            raise _Refused(HTTPStatus.FORBIDDEN, "requests from pages of other sites are refused")
        address = urlsplit(self.path)
        token, _, rest = address.path.removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise _Refused(HTTPStatus.FORBIDDEN, "wrong token; open the link that vidgan review --serve printed")
        return rest, parse_qs(address.query)

    def _get(self, path: str, query: dict[str, list[str]]) -> None:
        if path == "":
            server = self.server
            page = gallery_page(
                server.gallery, server.choices.read(), address=lambda movie: f"movies/{movie.address}", served=True
            )
            self._send(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8")
        elif path == "changes":
            since = query.get("since", ["0"])[-1]
            if not re.fullmatch(r"[0-9]{1,9}", since):
                raise _Refused(HTTPStatus.BAD_REQUEST, "since is a revision, a whole number")
            self._send_json(HTTPStatus.OK, _changes_since(self.server.choices.read(), int(since)))
        elif path.startswith("movies/") and path.removeprefix("movies/") in self.server.movies:
            self._send_file(self.server.movies[path.removeprefix("movies/")])
        elif path in {f"export/picks{suffix}" for suffix in PICKS_SUFFIXES}:
            self._export(Path(path).name)
        else:
            raise _Refused(HTTPStatus.NOT_FOUND, "no such thing here")

    def _post(self, path: str, _query: dict[str, list[str]]) -> None:
        if path != "changes":
            raise _Refused(HTTPStatus.NOT_FOUND, "no such thing here")
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a change is application/json")
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,18}", length) or "Transfer-Encoding" in self.headers:
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "a change says its length")
        if int(length) > LARGEST_BODY:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a change has at most {LARGEST_BODY} bytes")
        body = self.rfile.read(int(length))
        try:
            change = parse_change(body)
        except RequestError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
        if change.take not in self.server.takes:
            raise _Refused(HTTPStatus.NOT_FOUND, f"{change.take}: no such take in this review")
        chosen = self.server.choices.change(change).takes[change.take][change.field]
        self._send_json(HTTPStatus.OK, {"chosen": chosen.model_dump(mode="json")})

    def _export(self, name: str) -> None:
        picks = picks_of(self.server.gallery, self.server.choices.read())
        with TemporaryDirectory() as folder:
            write_picks(Path(folder) / name, picks)
            self._send_file(Path(folder) / name)

    def _send_file(self, path: Path) -> None:
        """The whole file, or the one range of bytes that was asked for (RFC 9110, section 14)."""
        try:
            file = path.open("rb")
        except OSError as error:
            raise _Refused(HTTPStatus.NOT_FOUND, f"{path.name}: cannot be read ({error.strerror})") from None
        with file:
            size = path.stat().st_size
            wanted = _range(self.headers.get("Range", ""), size)
            if wanted is not None and not wanted:
                self._begin(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, None, {"Content-Range": f"bytes */{size}"})
                return
            span = range(size) if wanted is None else wanted
            extra = {"Accept-Ranges": "bytes"}
            if wanted is not None:
                extra["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
            status = HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT
            self._begin(status, len(span), _CONTENT_TYPES.get(path.suffix.lower(), "application/octet-stream"), extra)
            if self.command != "HEAD":
                file.seek(span.start)
                copyfileobj(_Limited(file, len(span)), self.wfile)

    def _send_json(self, status: HTTPStatus, content: object, *, close: bool = False) -> None:
        self._send(status, json.dumps(content).encode(), "application/json", close=close)

    def _send(self, status: HTTPStatus, content: bytes, content_type: str, *, close: bool = False) -> None:
        self._begin(status, len(content), content_type, {"Connection": "close"} if close else {})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _begin(self, status: HTTPStatus, length: int, content_type: str | None, extra: dict[str, str]) -> None:
        self.send_response(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        always = {
            "Content-Length": str(length),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        for name, value in (always | extra).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: the terminal belongs to the user, and lines of a log would hold the token."""


class _Limited:
    """A file to read a number of bytes from, as `copyfileobj` wants it."""

    def __init__(self, file, length: int) -> None:
        self.file, self.left = file, length

    def read(self, size: int) -> bytes:
        content = self.file.read(min(size, self.left))
        self.left -= len(content)
        return content


def _range(text: str, size: int) -> range | None:
    """Bytes asked for, half-open; empty if the file has none of them, None for all.

    "bytes=0-99", "bytes=100-", "bytes=-100" (the last). Several ranges, and what is none, mean the whole file.
    """
    match = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", text.strip())
    if not match or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(min(int(first), size), min(int(last) + 1, size) if last else size)


def _changes_since(choices: Choices, revision: int) -> dict[str, object]:
    takes = {
        take: {name: chosen.model_dump(mode="json") for name, chosen in fields.items() if chosen.revision > revision}
        for take, fields in choices.takes.items()
    }
    return {"revision": choices.revision, "takes": {take: fields for take, fields in takes.items() if fields}}
