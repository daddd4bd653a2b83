"""Sensors for Home Assistant, with a real broker (mosquitto)."""

import json
import re
import signal
from collections.abc import Iterator

import pytest
from sinks.mqtt_broker import MOSQUITTO, Broker, Subscriber, sinks
from sinks.server_process import eventually

from stream_ocr.config.settings import Settings
from stream_ocr.events import SourceEvent
from stream_ocr.testing import text_event

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="needs a broker: apt-get install mosquitto")

# Keys of https://www.home-assistant.io/integrations/sensor.mqtt/ and .../image.mqtt/
_COMMON = {
    "availability", "availability_mode", "availability_template", "availability_topic", "default_entity_id", "device",
    "enabled_by_default", "encoding", "entity_category", "entity_picture", "icon", "json_attributes_template",
    "json_attributes_topic", "name", "object_id", "origin", "payload_available", "payload_not_available", "platform",
    "qos", "unique_id",
}  # fmt: skip
SCHEMA = {
    "sensor": _COMMON
    | {
        "device_class", "expire_after", "force_update", "group", "last_reset_value_template", "options", "state_class",
        "state_topic", "suggested_display_precision", "unit_of_measurement", "value_template",
    },
    "image": _COMMON | {"content_type", "image_encoding", "image_topic", "url_template", "url_topic"},
}  # fmt: skip
REQUIRED = {"sensor": {"state_topic"}, "image": {"image_topic"}}
DEVICE = {
    "configuration_url", "connections", "hw_version", "identifiers", "manufacturer", "model", "model_id", "name",
    "serial_number", "suggested_area", "sw_version", "via_device",
}  # fmt: skip
CONFIG_TOPIC = re.compile(r"homeassistant/(sensor|image)/[\w-]+/[\w-]+/config")


class HomeAssistant(Subscriber):
    """Does with the messages what Home Assistant does: shows the state of each entity that it discovers."""

    def __init__(self, port: int) -> None:
        super().__init__(port, "#")

    @property
    def latest(self) -> dict[str, bytes]:
        return {topic: payload for topic, payload, _ in self.messages}

    def entities(self) -> dict[tuple[str, str, str], dict]:
        """Return the configurations by component, device and name."""
        found = {}
        for topic, payload in self.latest.items():
            if match := CONFIG_TOPIC.fullmatch(topic):
                config = json.loads(payload)
                found[match[1], config["device"]["name"], config["name"]] = config
        return found

    def states(self) -> dict[tuple[str, str], str]:
        """Return the state of each sensor by device and name."""
        return {(device, name): self.state(config) for (kind, device, name), config in self.entities().items()
                if kind == "sensor"}  # fmt: skip

    def state(self, config: dict) -> str:
        available = [self.latest.get(each["topic"]) == b"online" for each in config["availability"]]
        if not all(available):
            return "unavailable"
        assert config["value_template"] == "{{ value_json.text[:255] }}"
        payload = self.latest.get(config["state_topic"])
        return "unknown" if payload is None else json.loads(payload)["text"][:255]


@pytest.fixture
def broker(tmp_path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def home(broker) -> Iterator[HomeAssistant]:
    home = HomeAssistant(broker.port)
    yield home
    home.end()


def source(kind: str, seq: int) -> SourceEvent:
    return SourceEvent(id=f"{kind}{seq}", seq=seq, kind=kind, stream="gate", start=0.0)


def test_home_assistant_shows_the_last_text_and_the_fields_of_a_camera(tmp_path, broker, home):
    with sinks(tmp_path, broker.port, home_assistant="homeassistant") as opened:
        opened.write(source("source.up", 0))
        opened.write(text_event(1, stream="gate", text="GATE 12 CLOSED"))
        opened.write(text_event(2, stream="gate", text="3", field="home score"))
        wanted = {("gate", "last text"): "3", ("gate", "home score"): "3"}
        assert eventually(lambda: home.states() == wanted)
        opened.write(text_event(3, stream="gate", text="4", track=2, kind="changed", previous="3", field="home score"))
        opened.write(text_event(4, stream="gate", text="LONG " * 100))
        assert eventually(lambda: home.states()["gate", "home score"] == "4")
        assert eventually(lambda: home.states()["gate", "last text"] == ("LONG " * 51))
        attributes = json.loads(home.latest["stream-ocr/gate/fields/home score"])
        assert (attributes["visible"], attributes["previous"]) == (True, "3")
        opened.write(text_event(5, stream="gate", text="4", track=2, kind="ended", end=9.0, field="home score"))
        assert eventually(lambda: not json.loads(home.latest["stream-ocr/gate/fields/home score"])["visible"])
        assert home.states()["gate", "home score"] == "4"
        opened.write(source("source.down", 6))
        assert eventually(lambda: set(home.states().values()) == {"unavailable"})
    assert eventually(lambda: home.latest["stream-ocr/status"] == b"offline")


def test_home_assistant_shows_the_picture_of_the_last_text(tmp_path, broker, home):
    with sinks(tmp_path, broker.port, home_assistant="homeassistant") as opened:
        event = text_event(0, stream="gate")
        opened.set_crop(event.id, b"RIFF webp")
        opened.write(event)
        assert eventually(lambda: ("image", "gate", "last text image") in home.entities())
        config = home.entities()["image", "gate", "last text image"]
        assert config["content_type"] == "image/webp"
        assert eventually(lambda: home.latest.get(config["image_topic"]) == b"RIFF webp")


def test_discovery_follows_the_documented_schema(tmp_path, broker, home):
    with sinks(tmp_path, broker.port, home_assistant="homeassistant") as opened:
        for seq, stream in enumerate(("gate", "a/b ü#", "a/c")):
            event = text_event(seq, stream=stream, field="score/home")
            opened.set_crop(event.id, b"webp")
            opened.write(event)
        assert eventually(lambda: len(home.entities()) == 9)
    configs = [(topic, json.loads(data)) for topic, data in home.latest.items() if topic.startswith("homeassistant")]
    for topic, config in configs:
        component = CONFIG_TOPIC.fullmatch(topic)[1]
        assert config.keys() <= SCHEMA[component]
        assert config.keys() >= REQUIRED[component] | {"name", "unique_id", "device", "origin"}
        assert config["device"].keys() <= DEVICE
        assert config["origin"].keys() <= {"name", "sw_version", "support_url"}
    ids = [config["unique_id"] for _, config in configs]
    assert len(set(ids)) == len(ids) == 9
    assert len({config["device"]["identifiers"][0] for _, config in configs}) == 3


def test_discovery_is_retained_and_repeated_after_the_broker_has_lost_it(tmp_path, broker, home):
    with sinks(tmp_path, broker.port, home_assistant="homeassistant") as opened:
        opened.write(text_event(0, stream="gate", text="PLATFORM"))
        assert eventually(lambda: home.states() == {("gate", "last text"): "PLATFORM"})
        late = HomeAssistant(broker.port)
        assert eventually(lambda: late.states() == {("gate", "last text"): "PLATFORM"})
        late.end()
        broker.end(signal.SIGKILL)
        (tmp_path / "broker" / "mosquitto.db").unlink(missing_ok=True)
        broker.start()
        later = HomeAssistant(broker.port)
        assert eventually(lambda: later.states() == {("gate", "last text"): "PLATFORM"})
        later.end()


def test_settings_keep_crops_for_the_pictures_of_home_assistant():
    sink = {"type": "mqtt", "host": "127.0.0.1", "spool": "spool"}
    assert not Settings.model_validate({"sinks": [sink]}).keeps_crops
    assert Settings.model_validate({"sinks": [sink | {"home_assistant": "homeassistant"}]}).keeps_crops
