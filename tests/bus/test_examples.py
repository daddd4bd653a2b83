"""The examples of the documentation, run as they are."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import zmq

from stream_ocr.bus import curve_keys
from stream_ocr.bus.journal import open_journal
from stream_ocr.bus.protocol import HEARTBEAT_TOPIC, Heartbeat, ReplayReply, encode, requests_endpoint
from stream_ocr.testing import published_event

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not here; on Debian: apt-get install {program}")
    return found


def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node.js is not here; on Debian: apt-get install nodejs npm")
    has = subprocess.run([found, "--input-type=module", "-e", "import 'zeromq'"], cwd=EXAMPLES, capture_output=True)
    if has.returncode:
        pytest.skip(f"npm's zeromq is not here; npm install --prefix {EXAMPLES} --no-save zeromq")
    return found


def run(*program: str) -> list[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(program, capture_output=True, text=True, timeout=60, env=os.environ | {"PATH": path})
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_node_and_python_examples_receive_the_same_events_with_keys(settings, endpoint, commit, tmp_path):
    program = node()
    folder = tmp_path / "keys"
    for name in ("server", "node", "python"):
        curve_keys.create_keys(folder, name)
    with open_journal(settings(f"socket.keys={folder}")) as journal:
        sent = [json.loads(event.to_json()) for event in commit(journal, *(f"GATE {n} é\n" for n in range(1500)))]
        sent += [json.loads(event.to_json()) for event in commit(journal, "EXIT", stream="hall/2")]

        def seen_by(name, *command):
            shown = str(folder / f"{name}.key_secret"), str(folder / "server.key")
            lines = run(*command, endpoint, str(len(sent)), *shown)
            return sorted((json.loads(line) for line in lines), key=lambda event: (event["stream"], event["seq"]))

        assert seen_by("node", program, str(EXAMPLES / "subscribe.mjs")) == sent
        assert seen_by("python", sys.executable, str(EXAMPLES / "subscribe.py")) == sent


def test_node_example_receives_new_and_missed_events(journal, endpoint, commit):
    commit(journal, "A", "B")
    listening = subprocess.Popen(
        [node(), str(EXAMPLES / "subscribe.mjs"), endpoint, "1002"], stdout=subprocess.PIPE, text=True
    )
    with listening:
        first = [json.loads(listening.stdout.readline())["text"] for _ in range(2)]
        commit(journal, *(f"N{n}" for n in range(1000)))
        rest = [json.loads(listening.stdout.readline())["text"] for _ in range(1000)]
        assert first + rest == ["A", "B", *(f"N{n}" for n in range(1000))]
        assert listening.wait(20) == 0


def test_node_example_starts_again_when_another_store_replies(endpoint):
    def send_heartbeat(store, last):
        message = Heartbeat(store=store, sent_utc=datetime.now(UTC), streams={"gate": last})
        events.send_multipart([HEARTBEAT_TOPIC, encode(message)])

    def asked():
        assert requests.poll(20_000), "no request arrived"
        who, question = requests.recv_multipart()
        question = json.loads(question)
        return who, question["id"], question["after"]

    def answer(who, id_, store, texts, first=0):
        lines = [published_event(seq, text).to_json() for seq, text in enumerate(texts, first)]
        last = first + len(lines) - 1
        message = ReplayReply(
            id=id_, store=store, stream="gate", events=[msgspec.Raw(line) for line in lines], through=last, last=last
        )
        requests.send_multipart([who, encode(message)])

    program = [node(), str(EXAMPLES / "subscribe.mjs"), endpoint, "3"]
    with zmq.Context() as context, context.socket(zmq.XPUB) as events, context.socket(zmq.ROUTER) as requests:
        events.bind(endpoint)
        requests.bind(requests_endpoint(endpoint))
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as listening:
            assert events.poll(20_000), "nobody subscribed"
            send_heartbeat("old", 0)
            who, id_, after = asked()
            assert after == -1
            answer(who, id_, "old", ["A"])
            assert json.loads(listening.stdout.readline())["text"] == "A"
            send_heartbeat("old", 1)
            who, id_, after = asked()
            assert after == 0
            answer(who, id_, "new", ["D"], first=1)  # the store was replaced before it was asked
            send_heartbeat("new", 1)
            who, id_, after = asked()
            assert after == -1
            answer(who, id_, "new", ["C", "D"])
            assert [json.loads(listening.stdout.readline())["text"] for _ in range(2)] == ["C", "D"]
            assert listening.wait(20) == 0


def test_shell_example_prints_filtered_events(journal, endpoint, commit):
    needs("jq")
    if not (Path(sys.executable).parent / "stream-ocr").exists() and not shutil.which("stream-ocr"):
        pytest.skip("stream-ocr is not installed; pip install -e .")
    commit(journal, "GATE 4", "EXIT", "GATE 12")
    assert run(str(EXAMPLES / "subscribe.sh"), endpoint, "2") == ["gate\t0\tGATE 4", "gate\t2\tGATE 12"]
