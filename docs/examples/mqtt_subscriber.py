"""Follows the texts that stream-ocr publishes to an MQTT broker. pip install paho-mqtt

    python mqtt_subscriber.py BROKER [PORT]

Knows at once what is in sight (the retained message ``now`` of each stream), then every event that comes while it is
connected, once and in order.
"""

import json
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

TOPIC = "stream-ocr"
seen = set()  # ids; with QoS 1 a message may come twice


def on_connect(client, _data, _flags, code, _properties):
    if code.is_failure:
        sys.exit(f"the broker refuses: {code}")
    client.subscribe(f"{TOPIC}/#", qos=1)


def on_subscribe(*_):
    print("subscribed", file=sys.stderr, flush=True)


def on_message(_client, _data, message):
    last = message.topic.rpartition("/")[2]
    if last == "status":
        print("publisher is", message.payload.decode(), flush=True)
    elif last == "now":
        now = json.loads(message.payload)
        print(now["stream"], "shows", [text["text"] for text in now["texts"]], flush=True)
    else:
        event = json.loads(message.payload)
        if event["id"] not in seen:
            seen.add(event["id"])
            print(event["stream"], event["seq"], event["kind"], repr(event.get("text")), flush=True)


client = mqtt.Client(CallbackAPIVersion.VERSION2)
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
client.connect(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1883)
client.loop_forever()
