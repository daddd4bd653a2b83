"""An RTSP camera for tests: the RTSP server of GStreamer plays a clip without transcoding, with faults on demand.

It runs in /usr/bin/python3 of Debian, which has the GStreamer bindings. The first line on standard input contains the
options as JSON (so that ``ps`` shows no password). Every further line starts a fault and is answered by "done".

    {"clip": PATH, "port": 0, "codec": "h264", "transports": ["tcp", "udp"], "user": null, "password": null,
     "digest": false, "certificate": null, "network": null, "ends": false, "shared": false, "host": "127.0.0.1",
     "record": null}

network: a GStreamer element after the payloader, such as "netsim drop-probability=0.02". ends: the clip is played once
and the stream then ends; otherwise it is repeated. shared: all viewers receive the same stream, and its time stamps are
reset when another viewer connects. record: a file to which a ``RECORD`` is appended for each access unit: number of
the viewer, 1 if it was sent and can be decoded, Unix time, time since the viewer connected (without "skip"), and
position in the clip, in seconds.

    stall SECONDS    send nothing for some seconds, then continue
    skip SECONDS     shift the time stamps (may be negative)
    stick            send the same time stamp from now on
    damage COUNT     damage that many access units other than key frames
    drop FRACTION    drop that fraction of the access units other than key frames
    mute             send nothing, but keep the connection open
    blank            send packets without pictures
    clip PATH        play another clip, which may have another size
    end              end the stream
"""

import contextlib
import json
import os
import pathlib
import random
import struct
import sys
import threading
import time

import gi

for name in ("Gst", "GstApp", "GstRtsp", "GstRtspServer"):
    gi.require_version(name, "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

ELEMENTS = ("appsrc", "filesrc", "qtdemux", "h264parse", "h265parse", "rtph264pay", "rtph265pay", "netsim")
NOTHING = bytes.fromhex("0000000109f0000000010605110102030405060708090a0b0c0d0e0f1000 80".replace(" ", ""))  # H.264
RECORD = struct.Struct("<IIddd")
HEADER = 60  # bytes of an access unit that are never damaged, so that it is still recognised as one


def access_units(path, codec):
    """Return [(bytes, is key frame, presentation time, decoding time, duration)] and the length of the clip, in ns."""
    form = f"video/x-{codec},stream-format=byte-stream,alignment=au"
    line = (
        f'filesrc location="{path}" ! qtdemux ! {codec}parse config-interval=-1 ! {form} ! appsink name=out sync=false'
    )
    pipeline = Gst.parse_launch(line)
    out = pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    units = []
    while (sample := out.emit("try-pull-sample", 5 * Gst.SECOND)) is not None:
        buffer = sample.get_buffer()
        key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
        units.append((buffer.extract_dup(0, buffer.get_size()), key, buffer.pts, buffer.dts, buffer.duration))
    pipeline.set_state(Gst.State.NULL)
    assert units, f"no access units in {path}"
    first = min(unit[3] for unit in units)
    length = max(unit[2] + unit[4] for unit in units) - min(unit[2] for unit in units)
    return [(data, key, pts - first, dts - first, duration) for data, key, pts, dts, duration in units], length


class Faults:
    """Faults that are active."""

    def __init__(self, clip, codec):
        self.codec = codec
        self.clip = access_units(clip, codec)
        self.stall_s = self.skip_s = self.drop_fraction = 0.0
        self.damaged = 0
        self.stuck = self.muted = self.blank = self.ended = False

    @property
    def hides(self):
        """Return whether no access unit can be decoded."""
        return self.muted or self.blank

    def start(self, word, value):
        match word:
            case "stall":
                self.stall_s = float(value)
            case "skip":
                self.skip_s += float(value)
            case "stick":
                self.stuck = True
            case "damage":
                self.damaged = int(value)
            case "drop":
                self.drop_fraction = float(value)
            case "mute":
                self.muted = True
            case "blank":
                self.blank = True
            case "clip":
                self.clip = access_units(value, self.codec)
            case "end":
                self.ended = True
            case _:
                raise ValueError(f"unknown fault {word!r}")

    def damage(self, data, key):
        """Return an access unit, damaged if a fault applies to it."""
        if self.blank:
            return NOTHING
        if key or self.damaged <= 0:
            return data
        self.damaged -= 1
        return data[:HEADER] + bytes(random.randrange(4, 256) for _ in data[HEADER:])


class Recorder:
    """Appends what one viewer is sent to a file. A record is written with one system call: a kill leaves whole ones."""

    def __init__(self, file):
        """file: unbuffered, or None."""
        self._file = file
        self._viewer = int.from_bytes(os.urandom(4), "little")
        self._is_whole = True

    def add(self, is_whole, key, time_ns, position_ns):
        """is_whole: the access unit is sent undamaged; all that follow a damaged one are damaged until a key frame."""
        self._is_whole = is_whole and (key or self._is_whole)
        if self._file is not None:
            times = time.time(), time_ns / Gst.SECOND, position_ns / Gst.SECOND
            self._file.write(RECORD.pack(self._viewer, self._is_whole, *times))


def play(faults, source, ends, disconnected, path):
    """Push a clip in real time until its viewer disconnects. path: of the record, if any."""
    with pathlib.Path(path).open("ab", buffering=0) if path else contextlib.nullcontext() as file:
        push(faults, source, ends, disconnected, Recorder(file))


def push(faults, source, ends, disconnected, recorder):
    start_s = time.monotonic()
    shift = 0
    while not disconnected.is_set():
        units, length = clip = faults.clip
        for data, key, pts, dts, duration in units:
            if faults.stall_s:
                disconnected.wait(faults.stall_s)
                start_s, faults.stall_s = start_s + faults.stall_s, 0.0
            disconnected.wait(start_s + (shift + dts) / Gst.SECOND - time.monotonic())
            if disconnected.is_set() or faults.ended or faults.clip is not clip:
                break
            is_dropped = not key and random.random() < faults.drop_fraction
            sent = faults.damage(data, key)
            recorder.add(sent is data and not is_dropped and not faults.hides, key, shift + pts, pts)
            if faults.muted or is_dropped:
                continue
            moved = shift + int(faults.skip_s * Gst.SECOND)
            buffer = Gst.Buffer.new_wrapped(sent)
            buffer.pts = 0 if faults.stuck else max(pts + moved, 0)
            buffer.dts = 0 if faults.stuck else max(dts + moved, 0)
            buffer.duration = duration
            if not key:
                buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
            if source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                return
        shift += dts if faults.clip is not clip else length
        if ends or faults.ended:
            source.emit("end-of-stream")
            return


def make_factory(options, faults):
    """Return the media factory for viewers."""
    factory = GstRtspServer.RTSPMediaFactory.new()
    form = f"video/x-{options['codec']},stream-format=byte-stream,alignment=au"
    payloader = f"rtp{options['codec']}pay pt=96 config-interval=-1"
    network = f"{payloader} ! {options['network']} name=pay0" if options.get("network") else f"{payloader} name=pay0"
    factory.set_launch(
        f"( appsrc name=source is-live=true format=time block=false max-bytes=8000000 caps={form}"
        f" ! {options['codec']}parse config-interval=-1 ! {network} )"
    )
    factory.set_shared(options.get("shared", False))
    lower = {"tcp": GstRtsp.RTSPLowerTrans.TCP, "udp": GstRtsp.RTSPLowerTrans.UDP}
    protocols = GstRtsp.RTSPLowerTrans(0)
    for transport in options.get("transports", lower):
        protocols |= lower[transport]
    factory.set_protocols(protocols)

    def on_viewer(_factory, media):
        disconnected = threading.Event()
        media.connect("unprepared", lambda _media: disconnected.set())
        source = media.get_element().get_by_name("source")
        arguments = faults, source, options.get("ends"), disconnected, options.get("record")
        threading.Thread(target=play, args=arguments, daemon=True).start()

    factory.connect("media-configure", on_viewer)
    return factory


def protect(server, factory, options):
    """Require a password, or use TLS."""
    guard = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if options.get("user"):
        if options.get("digest"):
            guard.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            guard.add_digest(options["user"], options["password"], token)
        else:
            guard.add_basic(GstRtspServer.RTSPAuth.make_basic(options["user"], options["password"]), token)
    else:
        guard.set_default_token(token)
    if options.get("certificate"):
        guard.set_tls_certificate(Gio.TlsCertificate.new_from_file(options["certificate"]))
    allowed = GstRtspServer.RTSPPermissions()
    for permission in ("media.factory.access", "media.factory.construct"):
        allowed.add_permission_for_role("viewer", permission, True)
    factory.set_permissions(allowed)
    server.set_auth(guard)


def read_commands(faults):
    for line in sys.stdin:
        word, _, value = line.strip().partition(" ")
        faults.start(word, value)
        sys.stdout.write("done\n")
        sys.stdout.flush()
    loop.quit()


if __name__ == "__main__":
    Gst.init(None)
    if missing := [element for element in ELEMENTS if Gst.ElementFactory.find(element) is None]:
        sys.exit(f"GStreamer's {', '.join(missing)}")
    if "--check" in sys.argv:
        sys.exit(0)
    loop = GLib.MainLoop()
    options = {"codec": "h264", **json.loads(sys.stdin.readline())}
    faults = Faults(options["clip"], options["codec"])
    server = GstRtspServer.RTSPServer.new()
    server.set_address(options.get("host", "127.0.0.1"))
    server.set_service(str(options.get("port", 0)))
    factory = make_factory(options, faults)
    if options.get("user") or options.get("certificate"):
        protect(server, factory, options)
    server.get_mount_points().add_factory("/live", factory)
    if server.attach(None) == 0:
        sys.exit("the port is taken")
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    threading.Thread(target=read_commands, args=(faults,), daemon=True).start()
    loop.run()
