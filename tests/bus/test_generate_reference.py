"""What is written about the protocol holds for what passes over the sockets."""

import json
import shutil
import subprocess
from pathlib import Path

import generate_reference as reference
import jsonschema
import pytest
import zmq

from stream_ocr.bus.protocol import requests_endpoint

DOCS = Path(__file__).parents[2] / "docs"
CHECK = """
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
const errors = (await new Parser().validate(readFileSync(0, "utf8"))).filter((found) => found.severity === 0);
for (const error of errors) console.log(error.path.join("."), error.message);
"""


def test_generated_documents_are_current():
    written = {name: (DOCS / name).read_text(encoding="utf-8") for name in reference.documents()}
    assert written == reference.documents(), "run: make docs"


@pytest.mark.parametrize("name", ["events.schema.json", "protocol.schema.json"])
def test_json_schemas_are_valid(name):
    jsonschema.Draft202012Validator.check_schema(json.loads((DOCS / name).read_text()))


def test_asyncapi_document_passes_the_official_parser():
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not here; on Debian: apt-get install nodejs npm")
    document = (DOCS / "asyncapi.json").read_bytes()
    ran = subprocess.run(
        [node, "--input-type=module", "-e", CHECK], cwd=DOCS / "examples", input=document, capture_output=True
    )
    if ran.returncode:
        assert b"ERR_MODULE_NOT_FOUND" in ran.stderr, ran.stderr.decode()
        pytest.skip(f"npm's @asyncapi/parser is not here; npm install --prefix {DOCS / 'examples'}")
    assert ran.stdout.decode() == ""


def test_asyncapi_references_resolve():
    document = json.loads((DOCS / "asyncapi.json").read_text())

    def follow(part):
        if isinstance(part, dict):
            if "$ref" in part:
                target = document
                for step in part["$ref"].removeprefix("#/").split("/"):
                    target = target[step]
            for value in part.values():
                follow(value)
        elif isinstance(part, list):
            for value in part:
                follow(value)

    follow(document)


def test_messages_on_the_sockets_match_the_schemas(journal, endpoint, commit):
    schema = json.loads((DOCS / "protocol.schema.json").read_text())
    components = json.loads((DOCS / "asyncapi.json").read_text())["components"]["schemas"]

    def check(message: bytes, name: str) -> None:
        decoded = json.loads(message)
        jsonschema.validate(decoded, schema | {"oneOf": [{"$ref": f"#/$defs/{name}"}]})
        part = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": components}}
        jsonschema.Draft7Validator(part).validate(decoded)

    with zmq.Context() as context, context.socket(zmq.SUB) as events, context.socket(zmq.REQ) as requests:
        events.linger = requests.linger = 0
        events.rcvtimeo = requests.rcvtimeo = 20_000
        events.connect(endpoint)
        events.subscribe(b"")
        topic, beat = events.recv_multipart()
        assert topic == b"/heartbeat"
        check(beat, "Heartbeat")
        commit(journal, "GATE 1", "EXIT")
        while topic != b"gate/appeared":
            topic, event = events.recv_multipart()
        check(event, "TextEvent")
        requests.connect(requests_endpoint(endpoint))
        for question, name in (
            ({"ask": "streams"}, "Streams"),
            ({"ask": "snapshot", "streams": ["gate"]}, "Snapshot"),
            ({"ask": "replay", "stream": "gate", "after": -1}, "Replay"),
            ({"ask": "crop", "stream": "gate", "seq": 0}, "Crop"),
        ):
            check(json.dumps({"id": 7} | question).encode(), f"{name}Request")
            requests.send_json({"id": 7} | question)
            check(requests.recv(), f"{name}Reply")
        requests.send(b"{}")
        check(requests.recv(), "ErrorReply")
        with pytest.raises(jsonschema.ValidationError):
            check(b'{"ask": "replay", "stream": "gate", "after": -2}', "ReplayRequest")
        with pytest.raises(jsonschema.ValidationError):
            check(b'{"ask": "nothing"}', "StreamsRequest")
