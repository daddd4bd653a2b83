"""HTTP responses of the dashboard and access to them."""

import http.client
import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from stream_ocr.config.settings import DashboardSettings, Settings
from stream_ocr.errors import SettingsError, SinkError, SourceError, SubscribeError
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import published_event
from stream_ocr.viz.dashboard import server as serving
from stream_ocr.viz.dashboard.address import open_listener, resolve_token
from stream_ocr.viz.dashboard.event_buffer import EventBuffer, EventPosition


def get(address: str, path: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(address.split("?")[0] + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def messages(address: str, count: int, **headers: str) -> list[tuple[str, str, list]]:
    """Return (event, id, data) of the first messages of the event stream, without heartbeats."""
    request = urllib.request.Request(f"{address}api/events", headers=headers)
    found: list[tuple[str, str, list]] = []
    fields: dict[str, str] = {}
    with urllib.request.urlopen(request, timeout=20) as response:
        for line in response:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                if fields["event"] != "heartbeat":
                    found.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
                fields = {}
            if len(found) == count:
                return found
    return found


def test_event_stream_continues_at_the_position_of_the_viewer(serve, log):
    log.add(log.text("appeared", "ONE", 1.0), log.text("appeared", "TWO", 2.0, track=2))
    address = serve(log.path)
    (restart, _, _), (kind, position, events) = messages(address, 2)
    assert (restart, kind) == ("restart", "events")
    assert [event["text"] for event in events] == ["ONE", "TWO"]
    log.add(log.text("ended", "ONE", 1.0, end=3.0))
    headers = {"Last-Event-ID": position}
    ((kind, _, events),) = messages(address, 1, **headers)
    assert [(event["kind"], event["text"]) for event in events] == [("ended", "ONE")]


@pytest.mark.parametrize("texts", [[], ["ANOTHER"], ["ANOTHER", "AND A LONGER", "RUN"]])
def test_event_stream_restarts_when_the_log_is_replaced(serve, log, texts):
    log.add(log.text("appeared", "ONE", 1.0), log.text("appeared", "TWO", 1.0, track=2))
    address = serve(log.path)
    _, (_, position, _) = messages(address, 2)
    log.path.write_bytes(b"".join(log.text("appeared", text, 2.0).to_json() + b"\n" for text in texts))
    again = {"Last-Event-ID": position}
    sent = messages(address, 2 if texts else 1, **again)
    assert sent[0][0] == "restart"
    assert [event["text"] for _, _, events in sent[1:] for event in events] == texts


def test_log_feed_skips_lines_that_are_not_events(serve, log):
    with log.path.open("ab") as file:
        file.write(b"no event\n\n" + log.text("appeared", "ONE", 1.0).to_json()[:20])
    address = serve(log.path)
    with log.path.open("ab") as file:
        file.write(log.text("appeared", "ONE", 1.0).to_json()[20:] + b"\n")
    log.add(log.text("appeared", "TWO", 2.0))
    sent: list[str] = []
    while "TWO" not in sent:
        sent = [event["text"] for _, _, events in messages(address, 2) for event in events or ()]


def test_search_ignores_case_and_returns_latest_first(serve, log):
    log.add(
        *(log.text("appeared", f"Gate {n}", n, track=n) for n in range(5)), log.text("appeared", "STRASSE", 9, track=9)
    )
    address = serve(log.path)
    messages(address, 2)
    found = json.loads(get(address, "api/search?q=gATE")[2])
    assert [span["text"] for span in found] == [f"Gate {n}" for n in (4, 3, 2, 1, 0)]
    assert [span["text"] for span in json.loads(get(address, "api/search?q=stra%C3%9Fe")[2])] == ["STRASSE"]
    assert json.loads(get(address, "api/search?q=%20")[2]) == []


def test_every_response_has_security_headers(serve, log):
    address = serve(log.path)
    for path in ("", "static/main.js", "static/theme.css", "api/about", "api/search?q=x", "video", "nowhere"):
        _, headers, _ = get(address, path)
        assert headers["content-security-policy"].startswith("default-src 'self';"), path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in {name.lower() for name in headers}


def test_static_files_outside_the_folder_are_not_served(serve, log):
    port = int(serve(log.path).rsplit(":", 1)[1].strip("/"))
    for path in ("static/../app.py", "static/%2e%2e/app.py", "static/..%2fapp.py", "..%2f..%2fetc/passwd"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", f"/{path}")
        assert connection.getresponse().status in (400, 404), path
        connection.close()


def test_auth_rejects_other_host_names(serve, log):
    address = serve(log.path)
    assert get(address, Host="evil.example:80")[0] == 421
    assert get(address, Host="localhost")[0] == 200
    assert (
        get(address, Host="[::1]")[0] == get(address, Host="[::1]:80")[0] == get(address, Host="127.0.0.2:80")[0] == 200
    )


def test_auth_requires_a_token_outside_loopback(serve, log):
    token = resolve_token(DashboardSettings(host="10.0.0.1"))
    assert len(token) >= 32
    here, url_token = serve(log.path, token=token).split("?token=")
    assert url_token == token
    assert get(here)[0] == 401
    assert get(here, "api/events", Cookie="stream_ocr_token=wrong")[0] == 401
    assert get(here, "?token=wrong")[0] == 401
    assert get(here, "api/about", Cookie=f"stream_ocr_token={token}")[0] == 200
    connection = http.client.HTTPConnection("127.0.0.1", int(here.rsplit(":", 1)[1].strip("/")), timeout=10)
    connection.request("GET", f"/?token={token}")
    response = connection.getresponse()
    assert (response.status, response.headers["location"]) == (303, "/")
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    connection.close()


@pytest.mark.parametrize("path", ["//evil.example/", "///evil.example/%2e%2e", "/\\evil.example/"])
def test_redirect_after_the_token_stays_on_the_page(serve, log, path):
    here, token = serve(log.path, token="t" * 32).split("?token=")
    connection = http.client.HTTPConnection("127.0.0.1", int(here.rsplit(":", 1)[1].strip("/")), timeout=10)
    connection.request("GET", f"{path}?token={token}")
    location = connection.getresponse().headers["location"]
    connection.close()
    assert location.startswith("/")
    assert location[1] not in "/\\"


def test_search_is_answered_with_security_headers_whatever_happens(serve, log, tmp_path):
    store = StoreWriter(tmp_path / "events.db")
    store.open()
    assert store.append([published_event(0, "GATE 4")])
    store.close()
    address = serve(log.path, store=tmp_path / "events.db")
    assert len(json.loads(get(address, "api/search?q=gate")[2])) == 1
    for query in ("x" * 5000, "%00", "gate%00", "%ff", "%ed%a0%80"):
        assert get(address, f"api/search?q={query}")[::2] == (200, b"[]")
    (tmp_path / "events.db").unlink()
    status, headers, body = get(address, "api/search?q=gate")
    assert (status, body[:17]) == (503, b"There is no store")
    assert headers["content-security-policy"].startswith("default-src 'self';")


def test_resolve_token_reads_token_file(tmp_path):
    secret = tmp_path / "token"
    secret.write_text("a-token-of-some-length\n")
    assert resolve_token(DashboardSettings(token_file=secret)) == "a-token-of-some-length"
    secret.write_text("short")
    with pytest.raises(SettingsError, match="5 characters; make it 16 or more"):
        resolve_token(DashboardSettings(token_file=secret))
    with pytest.raises(SettingsError, match="cannot be read"):
        resolve_token(DashboardSettings(token_file=tmp_path / "none"))


@pytest.mark.parametrize(
    ("host", "required"), [("127.0.0.1", False), ("::1", False), ("localhost", False), ("10.0.0.1", True)]
)
def test_resolve_token_is_none_only_for_loopback(host, required):
    assert (resolve_token(DashboardSettings(host=host)) is not None) == required


def test_open_listener_reports_a_port_in_use():
    with open_listener(DashboardSettings(port=0)) as first:
        taken = DashboardSettings(port=first.getsockname()[1])
        with pytest.raises(SinkError, match=r"set dashboard\.port to another"):
            open_listener(taken)


def test_missing_files_are_reported_at_start(tmp_path, log):
    with pytest.raises(SourceError, match="There is no file"):
        serving.open_feed(str(tmp_path / "none.jsonl"))
    with pytest.raises(SourceError, match="There is no file"):
        serving.serve(serving.open_feed(str(log.path)), tmp_path / "none.mp4", Settings(), print)


def test_event_buffer_drops_the_oldest_events_and_reports_it(log):
    buffer = EventBuffer(max_events=3)
    buffer.add(log.text("appeared", str(n), n, track=n) for n in range(2))
    position, lines, restart = buffer.read_after(EventPosition("", 0))
    assert (len(lines), restart) == (2, True)
    assert buffer.read_after(position) == (position, [], False)
    buffer.add(log.text("appeared", str(n), n, track=n) for n in range(2, 6))
    behind, lines, restart = buffer.read_after(position)
    assert restart, "event 2 was dropped, so the viewer must discard its events"
    assert len(lines) == 3
    assert buffer.read_after(behind)[1:] == ([], False)
    buffer.restart()
    assert buffer.read_after(behind)[1:] == ([], True)


def test_event_buffer_is_bounded_in_bytes(log):
    event = log.text("appeared", "W" * 10_000, 1.0)
    buffer = EventBuffer(max_bytes=35_000)
    for _ in range(10):
        buffer.add([event])
    assert len(buffer.events()) == 3
    buffer.add([log.text("appeared", "W" * 40_000, 1.0)])
    assert buffer.events() == []
    buffer.add([event])
    assert len(buffer.events()) == 1


def test_late_events_change_no_texts_on_the_screen(log):
    buffer = EventBuffer()
    early, now = log.text("appeared", "EARLY", 1.0), log.text("appeared", "NOW", 2.0, track=2)
    buffer.add([now])
    buffer.add([early], late=True)
    assert len(buffer.events()) == 2
    assert [text.text for text in buffer.visible()["gate"].texts] == ["NOW"]


@pytest.mark.parametrize("text", ["", "x", "-", "abc-", "a-1e5", "a-" + "9" * 30, "a-²"])
def test_event_position_parses_anything_unknown_as_the_start(text):
    assert EventPosition.parse(text).next == 0
    assert EventPosition.parse(str(EventPosition("ab12", 7))) == EventPosition("ab12", 7)


def test_published_events_are_streamed_and_found(serve, journal, endpoint, tmp_path):
    def sent(text: str, **fields):
        return published_event(journal.next_seq("gate"), text, durable=journal.durable, **fields)

    long_ago = datetime.now(UTC) - timedelta(hours=3)
    list(journal.commit([sent("STILL THERE", track=7, start=1.0, emitted_utc=long_ago)]))
    gone = sent("GONE", track=8, start=2.0, emitted_utc=long_ago)
    list(journal.commit([gone], {gone.id: b"picture"}))
    list(journal.commit([sent("GONE", track=8, kind="ended", start=2.0, end=3.0, emitted_utc=long_ago)]))
    list(journal.commit([sent("GATE 4", track=9, start=4.0)]))
    address = serve(endpoint, store=tmp_path / "events.db")
    found: list[str] = []
    while len(found) < 2:
        found = [event["text"] for kind, _, events in messages(address, 2) if kind == "events" for event in events]
    assert found == ["STILL THERE", "GATE 4"]
    (span,) = json.loads(get(address, "api/search?q=gone")[2])
    assert (span["text"], span["start"], span["end"], span["crop_seq"]) == ("GONE", 2.0, 3.0, gone.seq)
    status, headers, picture = get(address, f"api/crop?stream=gate&seq={gone.seq}")
    assert (status, headers["content-type"], picture) == (200, "image/webp", b"picture")
    for query in ("stream=gate&seq=0", "stream=hall&seq=1", "stream=gate&seq=-1", "seq=" + 40 * "9", ""):
        assert get(address, f"api/crop?{query}")[0] == 404
    assert json.loads(get(address, "api/search?q=still")[2])[0]["crop_seq"] is None


def test_open_feed_rejects_invalid_endpoint():
    with pytest.raises(SubscribeError, match="is no endpoint"):
        serving.open_feed("gopher://nowhere")
