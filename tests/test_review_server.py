"""The review server: what it gives to whom, what it saves, and everything that it refuses."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from fractions import Fraction
from http.client import HTTPConnection
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from test_review import make_take, pick

from vidgan.errors import RequestError
from vidgan.review.choices import ChoicesFile
from vidgan.review.gallery import open_gallery
from vidgan.review.server import LARGEST_BODY, ReviewServer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "secret.txt").write_text("the secret")
    make_take(folder / "takes", "walk_seed0002.mp4", seed=2, class_name="walk")
    make_take(folder / "takes", "fire_seed0007.mp4", seed=7, class_name="fire")
    (folder / "takes" / "secret.txt").write_text("the secret")
    server = ReviewServer(open_gallery(folder / "takes"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def ask(server, method="GET", path="", *, body=None, token=None, **headers):
    """(status, headers, body) of one request; a header of None is left out."""
    host = urlsplit(server.address).netloc
    sent = {"Host": host, "Content-Type": "application/json" if body is not None else None}
    if body is not None:
        sent["Content-Length"] = str(len(body))
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = HTTPConnection(host, timeout=60)
    connection.putrequest(method, f"/{token or server.token}/{path}", skip_host=True, skip_accept_encoding=True)
    for name, value in sent.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


def change(server, *, by="Ana", based_on=0, take="walk_seed0002.mp4", **fields):
    ((field, value),) = fields.items()
    body = json.dumps({"take": take, "field": field, "value": value, "based_on": based_on, "by": by}).encode()
    return ask(server, "POST", "changes", body=body)


def test_the_page_is_there_and_asks_nothing_of_the_network(server):
    status, headers, body = ask(server)
    assert status == 200
    text = body.decode()
    assert "walk_seed0002" in text
    assert not re.findall(r"""(?:src|href)=["']?\w+:""", text.split('<script type="module">')[0].replace("data:", ""))
    assert "default-src 'none'" in text
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_a_movie_comes_whole_or_by_ranges_of_bytes(server):
    take = server.gallery.takes[0]
    content, address = take.path.read_bytes(), f"movies/{take.address}"
    size = len(content)
    status, headers, body = ask(server, path=address)
    assert (status, body, headers["Accept-Ranges"], headers["Content-Type"]) == (200, content, "bytes", "video/mp4")
    for wanted, first, last in (
        ("0-99", 0, 99),
        ("100-", 100, size - 1),
        ("-100", size - 100, size - 1),
        (f"{size - 1}-{size + 50}", size - 1, size - 1),
        (f"-{2 * size}", 0, size - 1),
    ):
        status, headers, body = ask(server, path=address, Range=f"bytes={wanted}")
        assert (status, body) == (206, content[first : last + 1])
        assert headers["Content-Range"] == f"bytes {first}-{last}/{size}"
    status, headers, body = ask(server, path=address, Range=f"bytes={size}-")
    assert (status, headers["Content-Range"], body) == (416, f"bytes */{size}", b"")
    for none in ("bytes=9-3", "bytes=a-b", "lines=1-2", "bytes=0-1,4-5", "bytes=-"):
        assert ask(server, path=address, Range=none)[::2] == (200, content)
    status, headers, body = ask(server, "HEAD", address)
    assert (status, headers["Content-Length"], body) == (200, str(size), b"")


def test_every_change_is_on_disk_when_it_is_answered_and_others_are_told(server):
    status, _, body = change(server, decision="picked")
    assert status == 200
    revision = json.loads(body)["chosen"]["revision"]
    saved = ChoicesFile(server.gallery.folder).read()
    assert saved.value("walk_seed0002.mp4", "decision") == "picked"
    news = json.loads(ask(server, path=f"changes?since={revision - 1}")[2])
    assert news["takes"]["walk_seed0002.mp4"]["decision"]["value"] == "picked"
    assert json.loads(ask(server, path=f"changes?since={revision}")[2])["takes"] == {}


def test_two_browsers_do_not_overwrite_one_another_unseen(server):
    first = json.loads(change(server, stars=2, take="fire_seed0007.mp4")[2])["chosen"]
    change(server, note="good", take="fire_seed0007.mp4", by="Ben")  # another field: nothing is replaced
    seen = json.loads(change(server, stars=3, take="fire_seed0007.mp4", based_on=first["revision"], by="Ben")[2])
    assert seen["chosen"]["replaced"] is None
    unseen = json.loads(change(server, stars=5, take="fire_seed0007.mp4", based_on=first["revision"], by="Ana")[2])
    assert unseen["chosen"]["replaced"] == {"value": 3, "by": "Ben"}
    saved = ChoicesFile(server.gallery.folder).read()
    assert (saved.value("fire_seed0007.mp4", "stars"), saved.value("fire_seed0007.mp4", "note")) == (5, "good")


def test_changes_from_many_browsers_at_once_are_all_saved(server):
    before = ChoicesFile(server.gallery.folder).read().revision
    threads = [threading.Thread(target=change, args=(server,), kwargs={"stars": 1 + n % 5}) for n in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ChoicesFile(server.gallery.folder).read().revision == before + 30


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "..%2fsecret.txt",
        "movies/../secret.txt",
        "movies/..%2f..%2fsecret.txt",
        "movies/%2e%2e/secret.txt",
        "movies//etc/passwd",
        "movies/secret.txt",
        "movies/walk_seed0002.mp4",
        "movies/0123456789abcdef",
        "movies/",
        "secret.txt",
        "review.json",
        ".review/",
        "export/../../secret.txt",
        "export/picks.txt",
        "export/secret.txt",
        "movies\\..\\secret.txt",
        "movies/\x00",
    ],
)
def test_there_is_no_way_out_of_the_review(server, path):
    host, port = server.server_address[:2]
    with socket.create_connection((host, port), timeout=10) as raw:  # HTTPConnection would tidy the path
        raw.sendall(f"GET /{server.token}/{path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        answer = raw.recv(65536)
    assert re.match(rb"HTTP/1\.1 40[0-9] ", answer)
    assert b"the secret" not in answer


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"token": "wrong"}, 403),
        ({"token": "../"}, 403),
        ({"token": "wrong", "method": "POST", "path": "changes", "body": b"{}"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80"}, 403),
        ({"Host": None}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"method": "POST", "path": "changes", "body": b"{}", "Origin": "http://evil.example"}, 403),
        ({"method": "POST", "path": "changes", "body": b"{}", "Origin": "null"}, 403),
        ({"method": "POST", "path": "changes", "body": b"{}", "Content-Type": "text/plain"}, 415),
        ({"method": "POST", "path": "changes", "body": b"{}"}, 400),
        ({"method": "POST", "path": "changes", "body": b"[" * 60000}, 400),
        ({"method": "POST", "path": "changes", "body": b"\xff\xfe"}, 400),
        ({"method": "POST", "path": "changes", "Content-Type": "application/json"}, 411),
        ({"method": "POST", "path": "changes", "body": b"", "Content-Length": "-5"}, 411),
        ({"method": "POST", "path": "changes", "body": b"", "Content-Length": str(10**12)}, 413),
        ({"method": "POST", "path": "changes", "body": b" " * (LARGEST_BODY + 1)}, 413),
        ({"method": "POST", "path": "changes", "body": b"0\r\n\r\n", "Transfer-Encoding": "chunked"}, 411),
        ({"method": "POST", "path": "movies/x", "body": b"{}"}, 404),
        ({"path": "changes?since=-1"}, 400),
        ({"path": "changes?since=" + "9" * 5000}, 400),
        ({"method": "PUT", "path": "changes", "body": b"{}"}, 501),
        ({"method": "DELETE", "path": "movies/x"}, 501),
        ({"method": "OPTIONS"}, 501),
        ({"method": "TRACE"}, 501),
        ({"method": "CONNECT"}, 501),
        ({"method": "BREW"}, 501),
    ],
    ids=str,
)
def test_what_a_review_does_not_need_is_refused(server, asked, status):
    revision = ChoicesFile(server.gallery.folder).read().revision
    found, headers, body = ask(server, **asked)
    assert found == status
    assert b"Traceback" not in body
    assert headers["Access-Control-Allow-Origin"] is None
    assert ChoicesFile(server.gallery.folder).read().revision == revision


def test_a_change_of_no_take_or_to_no_value_is_refused_in_words(server):
    status, _, body = change(server, decision="picked", take="../../etc/passwd")
    assert (status, json.loads(body)["error"]) == (404, "../../etc/passwd: no such take in this review")
    status, _, body = change(server, stars=9)
    assert status == 400
    assert "stars cannot be '9'" in json.loads(body)["error"]


def test_an_address_longer_than_any_is_refused(server):
    assert ask(server, path="a" * 70000)[0] == 414


def test_picks_are_exported_and_a_mistake_is_said_in_words(tmp_path):
    make_take(tmp_path / "takes", "slow.mp4", rate=Fraction(12))
    server = ReviewServer(open_gallery(tmp_path / "takes"))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    status, _, body = ask(server, path="export/picks.csv")
    assert status == 409
    assert "nothing is picked yet" in json.loads(body)["error"]
    pick(tmp_path / "takes", "slow.mp4")
    status, headers, body = ask(server, path="export/picks.csv")
    assert (status, headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert b"slow.mp4" in body
    assert ask(server, path="export/picks.mp4")[2][4:8] == b"ftyp"
    assert sorted(path.name for path in (tmp_path / "takes").iterdir()) == [".review", "review.json", "slow.mp4"]
    server.shutdown()
    server.server_close()


def test_a_change_that_cannot_be_written_is_not_confirmed(tmp_path):
    make_take(tmp_path / "takes", "a.mp4")
    server = ReviewServer(open_gallery(tmp_path / "takes"))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    (tmp_path / "takes" / "review.json").mkdir()
    status, _, body = change(server, stars=1, take="a.mp4")
    assert status >= 400
    assert "review.json" in json.loads(body)["error"]
    server.shutdown()
    server.server_close()


def test_what_the_served_command_confirmed_survives_its_kill(tmp_path):
    make_take(tmp_path / "takes", "a.mp4")
    command = [sys.executable, "-m", "vidgan", "review", str(tmp_path / "takes"), "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        link = next(line.split()[1] for line in process.stdout if line.startswith("open "))
        there = SimpleNamespace(address=link, token=urlsplit(link).path.strip("/"))
        assert change(there, stars=4, take="a.mp4")[0] == 200
        process.kill()
    assert ChoicesFile(tmp_path / "takes").read().value("a.mp4", "stars") == 4
    page = (tmp_path / "takes" / "review.html").read_text()
    assert there.token not in page


def test_ctrl_c_ends_serving_as_it_should_be(tmp_path):
    make_take(tmp_path / "takes", "a.mp4")
    command = [sys.executable, "-m", "vidgan", "review", str(tmp_path / "takes"), "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        next(line for line in process.stdout if line.startswith("choices are saved"))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_a_port_in_use_is_said_in_words(server):
    with pytest.raises(RequestError, match=f"port {server.server_port} cannot be used"):
        ReviewServer(server.gallery, port=server.server_port)
