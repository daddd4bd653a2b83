"""A real RTSP camera for tests: GStreamer's server plays a clip as it is coded, with faults on demand.

Run by Debian's own /usr/bin/python3, to which the bindings belong. The first line on standard input is JSON, what the
camera is like (so that no password stands in ``ps``); every further line is a fault to begin now, answered by "done".

    {"clip": PATH, "port": 0, "codec": "h264", "transports": ["tcp", "udp"], "user": null, "password": null,
     "digest": false, "certificate": null, "network": null, "ends": false, "shared": false}

network: a GStreamer element behind the payloader, such as "netsim drop-probability=0.02". ends: the clip is played
once and the stream then ended, rather than played again and again. shared: all viewers see the same, and when
another one comes the time stamps of all begin anew.

    stall SECONDS    nothing comes, then it goes on where it was
    skip SECONDS     the time stamps jump by so much (may be negative)
    stick            all time stamps are the same from now on
    damage COUNT     so many access units are damaged that are no key frames
    drop SHARE       so many access units that are no key frames are left out
    mute             nothing comes any more, though the connection stays
    blank            packets come, but hold no pictures
    clip PATH        another clip, which may have another size
    end              the stream is ended
"""

import json
import random
import sys
import threading
import time

import gi

for name in ("Gst", "GstApp", "GstRtsp", "GstRtspServer"):
    gi.require_version(name, "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

ELEMENTS = ("appsrc", "filesrc", "qtdemux", "h264parse", "h265parse", "rtph264pay", "rtph265pay", "netsim")
NOTHING = bytes.fromhex("0000000109f0000000010605110102030405060708090a0b0c0d0e0f1000 80".replace(" ", ""))  # H.264
HEADER = 60  # bytes of an access unit that damage spares, so that it is still taken for one


def access_units(path, codec):
    """[(bytes, key frame or not, presentation, decoding time, duration; nanoseconds)] and the length of the clip."""
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
    """What goes wrong now."""

    def __init__(self, clip, codec):
        self.codec = codec
        self.clip = access_units(clip, codec)
        self.stall_s = self.skip_s = self.share = 0.0
        self.damaged = 0
        self.stuck = self.muted = self.blank = self.ended = False

    def begin(self, word, value):
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
                self.share = float(value)
            case "mute":
                self.muted = True
            case "blank":
                self.blank = True
            case "clip":
                self.clip = access_units(value, self.codec)
            case "end":
                self.ended = True
            case _:
                raise ValueError(f"there is no fault {word!r}")

    def spoil(self, data, key):
        """Damage an access unit if it is its turn."""
        if self.blank:
            return NOTHING
        if key or self.damaged <= 0:
            return data
        self.damaged -= 1
        return data[:HEADER] + bytes(random.randrange(4, 256) for _ in data[HEADER:])


def play(faults, source, ends, gone):
    """Push a clip at its own speed until its viewer has gone."""
    start_s = time.monotonic()
    shift = 0
    while not gone.is_set():
        units, length = clip = faults.clip
        for data, key, pts, dts, duration in units:
            if faults.stall_s:
                gone.wait(faults.stall_s)
                start_s, faults.stall_s = start_s + faults.stall_s, 0.0
            gone.wait(start_s + (shift + dts) / Gst.SECOND - time.monotonic())
            if gone.is_set() or faults.ended or faults.clip is not clip:
                break
            if faults.muted or (not key and random.random() < faults.share):
                continue
            moved = shift + int(faults.skip_s * Gst.SECOND)
            buffer = Gst.Buffer.new_wrapped(faults.spoil(data, key))
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


def factory(told, faults):
    """Makes what a viewer gets."""
    made = GstRtspServer.RTSPMediaFactory.new()
    form = f"video/x-{told['codec']},stream-format=byte-stream,alignment=au"
    payloader = f"rtp{told['codec']}pay pt=96 config-interval=-1"
    network = f"{payloader} ! {told['network']} name=pay0" if told.get("network") else f"{payloader} name=pay0"
    made.set_launch(
        f"( appsrc name=source is-live=true format=time block=false max-bytes=8000000 caps={form}"
        f" ! {told['codec']}parse config-interval=-1 ! {network} )"
    )
    made.set_shared(told.get("shared", False))
    lower = {"tcp": GstRtsp.RTSPLowerTrans.TCP, "udp": GstRtsp.RTSPLowerTrans.UDP}
    protocols = GstRtsp.RTSPLowerTrans(0)
    for transport in told.get("transports", lower):
        protocols |= lower[transport]
    made.set_protocols(protocols)

    def on_viewer(_factory, media):
        gone = threading.Event()
        media.connect("unprepared", lambda _media: gone.set())
        source = media.get_element().get_by_name("source")
        threading.Thread(target=play, args=(faults, source, told.get("ends"), gone), daemon=True).start()

    made.connect("media-configure", on_viewer)
    return made


def protect(server, made, told):
    """Ask for a password, or speak TLS."""
    guard = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if told.get("user"):
        if told.get("digest"):
            guard.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            guard.add_digest(told["user"], told["password"], token)
        else:
            guard.add_basic(GstRtspServer.RTSPAuth.make_basic(told["user"], told["password"]), token)
    else:
        guard.set_default_token(token)
    if told.get("certificate"):
        guard.set_tls_certificate(Gio.TlsCertificate.new_from_file(told["certificate"]))
    allowed = GstRtspServer.RTSPPermissions()
    for permission in ("media.factory.access", "media.factory.construct"):
        allowed.add_permission_for_role("viewer", permission, True)
    made.set_permissions(allowed)
    server.set_auth(guard)


def obey(faults):
    for line in sys.stdin:
        word, _, value = line.strip().partition(" ")
        faults.begin(word, value)
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
    told = {"codec": "h264", **json.loads(sys.stdin.readline())}
    faults = Faults(told["clip"], told["codec"])
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(str(told.get("port", 0)))
    made = factory(told, faults)
    if told.get("user") or told.get("certificate"):
        protect(server, made, told)
    server.get_mount_points().add_factory("/live", made)
    if server.attach(None) == 0:
        sys.exit("the port is taken")
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    threading.Thread(target=obey, args=(faults,), daemon=True).start()
    loop.run()
