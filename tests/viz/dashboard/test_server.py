"""What is answered, to whom, and how."""

import http.client
import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from stream_ocr.config.settings import DashboardSettings, Settings
from stream_ocr.errors import SettingsError, SinkError, SourceError, SubscribeError
from stream_ocr.testing import published_event
from stream_ocr.viz.dashboard import server as serving
from stream_ocr.viz.dashboard.event_buffer import EventBuffer, EventPosition


def get(address: str, path: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(address.split("?")[0] + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def messages(address: str, count: int, **headers: str) -> list[tuple[str, str, list]]:
    """(event, id, data) of the first messages that are told, beats left out."""
    request = urllib.request.Request(f"{address}api/events", headers=headers)
    found: list[tuple[str, str, list]] = []
    fields: dict[str, str] = {}
    with urllib.request.urlopen(request, timeout=20) as answer:
        for line in answer:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                if fields["event"] != "beat":
                    found.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
                fields = {}
            if len(found) == count:
                return found
    return found


def test_events_are_told_from_where_the_viewer_was(serve, log):
    log.add(log.text("appeared", "ONE", 1.0), log.text("appeared", "TWO", 2.0, track=2))
    address = serve(log.path)
    (restart, _, _), (kind, place, events) = messages(address, 2)
    assert (restart, kind) == ("restart", "events")
    assert [event["text"] for event in events] == ["ONE", "TWO"]
    log.add(log.text("ended", "ONE", 1.0, end=3.0))
    headers = {"Last-Event-ID": place}
    ((kind, _, events),) = messages(address, 1, **headers)
    assert [(event["kind"], event["text"]) for event in events] == [("ended", "ONE")]


@pytest.mark.parametrize("texts", [[], ["ANOTHER"], ["ANOTHER", "AND A LONGER", "RUN"]])
def test_a_log_that_begins_anew_begins_anew_for_the_viewer(serve, log, texts):
    log.add(log.text("appeared", "ONE", 1.0), log.text("appeared", "TWO", 1.0, track=2))
    address = serve(log.path)
    _, (_, place, _) = messages(address, 2)
    log.path.write_bytes(b"".join(log.text("appeared", text, 2.0).to_json() + b"\n" for text in texts))
    again = {"Last-Event-ID": place}
    told = messages(address, 2 if texts else 1, **again)
    assert told[0][0] == "restart"
    assert [event["text"] for _, _, events in told[1:] for event in events] == texts


def test_lines_that_are_no_events_stop_nothing(serve, log):
    with log.path.open("ab") as file:
        file.write(b"no event\n\n" + log.text("appeared", "ONE", 1.0).to_json()[:20])
    address = serve(log.path)
    with log.path.open("ab") as file:
        file.write(log.text("appeared", "ONE", 1.0).to_json()[20:] + b"\n")
    log.add(log.text("appeared", "TWO", 2.0))
    told: list[str] = []
    while "TWO" not in told:
        told = [event["text"] for _, _, events in messages(address, 2) for event in events or ()]


def test_search_finds_whatever_the_case_the_latest_first(serve, log):
    log.add(
        *(log.text("appeared", f"Gate {n}", n, track=n) for n in range(5)), log.text("appeared", "STRASSE", 9, track=9)
    )
    address = serve(log.path)
    messages(address, 2)
    found = json.loads(get(address, "api/search?q=gATE")[2])
    assert [span["text"] for span in found] == [f"Gate {n}" for n in (4, 3, 2, 1, 0)]
    assert [span["text"] for span in json.loads(get(address, "api/search?q=stra%C3%9Fe")[2])] == ["STRASSE"]
    assert json.loads(get(address, "api/search?q=%20")[2]) == []


def test_every_answer_is_guarded(serve, log):
    address = serve(log.path)
    for path in ("", "static/main.js", "static/theme.css", "api/about", "api/search?q=x", "video", "nowhere"):
        _, headers, _ = get(address, path)
        assert headers["content-security-policy"].startswith("default-src 'self';"), path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in {name.lower() for name in headers}


def test_nothing_outside_is_given_out(serve, log):
    port = int(serve(log.path).rsplit(":", 1)[1].strip("/"))
    for path in ("static/../app.py", "static/%2e%2e/app.py", "static/..%2fapp.py", "..%2f..%2fetc/passwd"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", f"/{path}")
        assert connection.getresponse().status in (400, 404), path
        connection.close()


def test_names_that_are_not_of_this_machine_are_refused(serve, log):
    address = serve(log.path)
    assert get(address, Host="evil.example:80")[0] == 421
    assert get(address, Host="localhost")[0] == 200
    assert (
        get(address, Host="[::1]")[0] == get(address, Host="[::1]:80")[0] == get(address, Host="127.0.0.2:80")[0] == 200
    )


def test_elsewhere_a_token_is_asked_for(serve, log):
    token = serving.resolve_token(DashboardSettings(host="10.0.0.1"))
    assert len(token) >= 32
    here, said = serve(log.path, token=token).split("?token=")
    assert said == token
    assert get(here)[0] == 401
    assert get(here, "api/events", Cookie="stream_ocr_token=wrong")[0] == 401
    assert get(here, "?token=wrong")[0] == 401
    assert get(here, "api/about", Cookie=f"stream_ocr_token={token}")[0] == 200
    connection = http.client.HTTPConnection("127.0.0.1", int(here.rsplit(":", 1)[1].strip("/")), timeout=10)
    connection.request("GET", f"/?token={token}")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    connection.close()


def test_the_token_of_a_file(tmp_path):
    secret = tmp_path / "token"
    secret.write_text("a-token-of-some-length\n")
    assert serving.resolve_token(DashboardSettings(token_file=secret)) == "a-token-of-some-length"
    secret.write_text("short")
    with pytest.raises(SettingsError, match="5 characters; make it 16 or more"):
        serving.resolve_token(DashboardSettings(token_file=secret))
    with pytest.raises(SettingsError, match="cannot be read"):
        serving.resolve_token(DashboardSettings(token_file=tmp_path / "none"))


@pytest.mark.parametrize(
    ("host", "asks"), [("127.0.0.1", False), ("::1", False), ("localhost", False), ("10.0.0.1", True)]
)
def test_only_loopback_goes_without_a_token(host, asks):
    assert (serving.resolve_token(DashboardSettings(host=host)) is not None) == asks


def test_a_port_that_is_taken_is_one_sentence():
    with serving.open_listener(DashboardSettings(port=0)) as first:
        taken = DashboardSettings(port=first.getsockname()[1])
        with pytest.raises(SinkError, match=r"set dashboard\.port to another"):
            serving.open_listener(taken)


def test_files_that_are_not_there_are_told_at_the_start(tmp_path, log):
    with pytest.raises(SourceError, match="There is no file"):
        serving.open_feed(str(tmp_path / "none.jsonl"))
    with pytest.raises(SourceError, match="There is no file"):
        serving.serve(serving.open_feed(str(log.path)), tmp_path / "none.mp4", Settings(), print)


def test_history_forgets_the_oldest_and_says_so(log):
    history = EventBuffer(most=3)
    history.add(log.text("appeared", str(n), n, track=n) for n in range(2))
    place, lines, restart = history.after(EventPosition("", 0))
    assert (len(lines), restart) == (2, True)
    assert history.after(place) == (place, [], False)
    history.add(log.text("appeared", str(n), n, track=n) for n in range(2, 6))
    behind, lines, restart = history.after(place)
    assert restart, "event 2 is gone, so the viewer has to forget what it has"
    assert len(lines) == 3
    assert history.after(behind)[1:] == ([], False)
    history.restart()
    assert history.after(behind)[1:] == ([], True)


@pytest.mark.parametrize("text", ["", "x", "-", "abc-", "a-1e5", "a-" + "9" * 30, "a-²"])
def test_places_that_were_never_given_out_are_the_beginning(text):
    assert EventPosition.parse(text).next == 0
    assert EventPosition.parse(str(EventPosition("ab12", 7))) == EventPosition("ab12", 7)


def test_events_that_are_published_are_told_and_found(serve, journal, endpoint, tmp_path):
    def told(text: str, **facts):
        return published_event(journal.number("gate"), text, durable=journal.durable, **facts)

    long_ago = datetime.now(UTC) - timedelta(hours=3)
    list(journal.commit([told("STILL THERE", track=7, start=1.0, emitted_utc=long_ago)]))
    gone = told("GONE", track=8, start=2.0, emitted_utc=long_ago)
    list(journal.commit([gone], {gone.id: b"picture"}))
    list(journal.commit([told("GONE", track=8, kind="ended", start=2.0, end=3.0, emitted_utc=long_ago)]))
    list(journal.commit([told("GATE 4", track=9, start=4.0)]))
    address = serve(endpoint, store=tmp_path / "events.db")
    found: list[str] = []
    while len(found) < 2:
        found = [event["text"] for kind, _, events in messages(address, 2) if kind == "events" for event in events]
    assert found == ["STILL THERE", "GATE 4"]
    (span,) = json.loads(get(address, "api/search?q=gone")[2])
    assert (span["text"], span["start"], span["end"], span["evidence"]) == ("GONE", 2.0, 3.0, gone.seq)
    status, headers, picture = get(address, f"api/evidence?stream=gate&seq={gone.seq}")
    assert (status, headers["content-type"], picture) == (200, "image/webp", b"picture")
    for query in ("stream=gate&seq=0", "stream=hall&seq=1", "stream=gate&seq=-1", "seq=" + 40 * "9", ""):
        assert get(address, f"api/evidence?{query}")[0] == 404
    assert json.loads(get(address, "api/search?q=still")[2])[0]["evidence"] is None


def test_what_is_no_endpoint_is_told_at_the_start():
    with pytest.raises(SubscribeError, match="is no endpoint"):
        serving.open_feed("gopher://nowhere")
