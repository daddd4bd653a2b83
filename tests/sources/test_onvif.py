"""ONVIF devices: real SOAP over HTTP and multicast on loopback, with good and bad devices."""

import time
from contextlib import ExitStack

import pytest
from onvif_camera.camera import OnvifCamera
from onvif_camera.faults import FAULTS
from onvif_camera.messages import Profile

from stream_ocr.errors import SourceError
from stream_ocr.sources.onvif import Device, ask_devices
from stream_ocr.sources.onvif_soap import Login
from stream_ocr.sources.ws_discovery import device_at, search

PASSWORD = "pa:ss/wörd"
LOGIN = Login("admin", PASSWORD)
MAIN = Profile("p1", "Main", "rtsp://127.0.0.2:554/ch/101?profile=p1", (2560, 1440), "H265", 25)
SUB = Profile("p2", "Sub", "rtsp://127.0.0.2:554/ch/102", (640, 360), "H264", 12)
SHORT_S = 1.0  # for devices that do not answer


def ask(camera: OnvifCamera, login: Login | None = None, timeout_s: float = 20.0) -> Device:
    (device,) = ask_devices([device_at(camera.address)], login, timeout_s)
    return device


@pytest.mark.parametrize("services", [("device", "media"), ("device", "media2"), ("device", "media", "media2")])
def test_streams_have_their_size_codec_rate_and_address(services):
    with OnvifCamera((SUB, MAIN), services=services) as camera:
        device = ask(camera)
    assert (device.address, device.manufacturer, device.model) == (camera.address, "ACME", "Eye 2")
    assert device.problem is None
    facts = [(s.role, s.name, s.codec, s.width, s.height, s.fps, s.url, s.protected) for s in device.streams]
    assert facts == [
        ("main", "Main", "H265", 2560, 1440, 25, MAIN.url, False),
        ("sub", "Sub", "H264", 640, 360, 12, SUB.url, False),
    ]


def test_media2_is_asked_where_a_device_has_both():
    """Media knows no H.265."""
    with OnvifCamera((MAIN,), services=("device", "media", "media2")) as camera:
        ask(camera)
    assert not any(b"<trt:GetProfiles" in request for request in camera.requests)


def test_channels_of_a_recorder_have_a_main_stream_each():
    profiles = [
        Profile(f"{source}-{name}", name, f"rtsp://10.0.0.9/{source}/{name}", size, source=source)
        for source in ("A", "B")
        for name, size in (("small", (640, 360)), ("large", (1920, 1080)))
    ]
    with OnvifCamera(tuple(profiles)) as camera:
        streams = ask(camera).streams
    assert [(stream.channel, stream.role, stream.name) for stream in streams] == [
        (1, "main", "large"), (1, "sub", "small"), (2, "main", "large"), (2, "sub", "small"),
    ]  # fmt: skip


def test_two_profiles_of_one_stream_are_one_stream():
    with OnvifCamera((MAIN, Profile("p9", "Again", MAIN.url))) as camera:
        assert [stream.name for stream in ask(camera).streams] == ["Main"]


@pytest.mark.parametrize("clock_s", [0.0, -3600.0, 86_400.0])
@pytest.mark.parametrize("http_digest", [False, True])
def test_password_is_sent_as_a_digest_by_the_clock_of_the_device(clock_s, http_digest):
    options = {"login": ("admin", PASSWORD), "clock_s": clock_s, "http_digest": http_digest}
    with OnvifCamera((MAIN,), **options) as camera:
        device = ask(camera, LOGIN)
    assert device.problem is None
    assert [stream.protected for stream in device.streams] == [True]
    assert not any(PASSWORD.encode() in request for request in camera.requests)


@pytest.mark.parametrize(
    ("login", "sentence"),
    [
        (Login("admin", "wrong"), "refuses the user name or the password."),
        (Login("adm", PASSWORD), "refuses the user name or the password."),
        (None, "asks for a user name and a password; see --login."),
    ],
)
@pytest.mark.parametrize("http_digest", [False, True])
def test_wrong_login_is_one_sentence(login, sentence, http_digest):
    with OnvifCamera((MAIN,), login=("admin", PASSWORD), http_digest=http_digest) as camera:
        device = ask(camera, login)
    assert (device.streams, device.problem) == ((), f"{camera.address} {sentence}")
    assert len(camera.requests) <= 3, "devices lock an account after some wrong passwords"


def test_device_without_get_services_is_asked_for_its_capabilities():
    with OnvifCamera((MAIN,), has_get_services=False) as camera:
        assert len(ask(camera).streams) == 1


def test_device_that_claims_another_address_is_asked_at_its_own():
    with OnvifCamera((MAIN,), claimed_host="127.0.0.77") as camera:
        assert len(ask(camera).streams) == 1


def test_address_of_a_stream_that_nobody_can_reach_gets_the_host_of_the_device():
    profiles = (Profile("p1", "Main", "rtsp://0.0.0.0:8554/live"), Profile("p2", "Sub", "rtsp://10.0.0.8/live"))
    with OnvifCamera(profiles) as camera:
        assert {stream.url for stream in ask(camera).streams} == {"rtsp://127.0.0.2:8554/live", "rtsp://10.0.0.8/live"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"rtsp://admin:{PASSWORD.replace('/', '%2F')}@10.0.0.7/1", "rtsp://10.0.0.7/1"),
        ("rtsp://10.0.0.7/user=admin_password=hunter22_channel=1.sdp", "rtsp://10.0.0.7/user=admin_password=***"),
        ("rtsp://10.0.0.7/1?channel=1&pwd=hunter22&subtype=0", "rtsp://10.0.0.7/1?channel=1&pwd=***&subtype=0"),
    ],
)
def test_addresses_of_streams_have_no_password(url, shown):
    with OnvifCamera((Profile("p1", "Main", url),)) as camera:
        (stream,) = ask(camera).streams
    assert (stream.url, stream.protected) == (shown, True)


def test_device_that_repeats_the_password_does_not_make_it_public():
    login = Login("admin", "hunter22")
    profile = Profile("p1", "Main hunter22", "rtsp://10.0.0.7/hunter22/1", codec="hunter22")
    with OnvifCamera((profile,), login=("admin", "hunter22")) as camera:
        device = ask(camera, login)
    assert len(device.streams) == 1
    assert "hunter22" not in repr(device) + repr(login)


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "file:///etc/passwd", "rtsp://", "rtsp://[1/x", "rtsp://a b/c", "rtsp://a/\x85b", "tcp://a/b"],
)
def test_address_that_is_none_does_not_hide_the_other_streams(url):
    with OnvifCamera((Profile("p1", "Main", url), SUB)) as camera:
        device = ask(camera)
    assert [stream.name for stream in device.streams] == ["Sub"]
    assert device.problem == f"{camera.address} gives an address of a stream that is none."


SENTENCES = {
    "silent": "does not answer within 1 s.",
    "slow": "does not answer within 1 s.",
    "garbage": "does not speak HTTP, or breaks off (RemoteProtocolError).",
    "endless": "sends more than 2097152 bytes for an answer.",
    "endless header": "does not speak HTTP, or breaks off (RemoteProtocolError).",
    "bomb": "answers with something else than XML.",
    "file": "answers with something else than XML.",
    "deep": "answers with XML that is too large or too deep.",
    "compressed": "answers compressed, which was not asked for.",
    "page": "answers with something else than XML.",
    "other xml": "answers with something else than SOAP, and HTTP status 200.",
    "redirect": "answers with HTTP status 302.",
    "nothing": "does not speak HTTP, or breaks off (RemoteProtocolError).",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_device_is_one_sentence_within_the_time(fault):
    start_s = time.monotonic()
    with OnvifCamera((MAIN,), fault=fault) as camera:
        device = ask(camera, LOGIN, SHORT_S)
        needed_s = time.monotonic() - start_s
    assert (device.streams, device.problem) == ((), f"{camera.address} {SENTENCES[fault]}")
    assert needed_s < SHORT_S + 5, "the time of a busy machine included"


def test_bad_devices_do_not_delay_the_others():
    with ExitStack() as stack:
        bad = [stack.enter_context(OnvifCamera(host=f"127.0.1.{n}", fault="silent")) for n in range(1, 6)]
        good = stack.enter_context(OnvifCamera((MAIN,)))
        start_s = time.monotonic()
        devices = ask_devices([device_at(camera.address) for camera in (*bad, good)], None, 2.0)
        assert time.monotonic() - start_s < 8
    assert [len(device.streams) for device in devices] == [0, 0, 0, 0, 0, 1]
    assert devices[0].problem == f"{bad[0].address} does not answer within 2 s."


def test_device_that_is_not_there_is_one_sentence():
    (device,) = ask_devices([device_at("127.0.0.3:9")], None, 5.0)
    assert device.problem == "127.0.0.3:9 cannot be reached."


def test_device_without_streams_is_one_sentence():
    with OnvifCamera() as camera:
        assert ask(camera).problem == f"{camera.address} has no video stream."
    with OnvifCamera(services=("device",)) as camera:
        assert ask(camera).problem == f"{camera.address} has no video stream."


@pytest.mark.parametrize("fault", [None, "garbage"])
def test_search_finds_devices_with_their_names(fault):
    with (
        OnvifCamera(host="127.0.0.5", name="Hall", fault=fault) as hall,
        OnvifCamera(host="127.0.0.6", name="Back yard", types="tds:Device") as yard,
        OnvifCamera(host="127.0.0.7", fault="deaf"),
    ):
        found = search(SHORT_S, "lo")
    assert {(each.url, each.name) for each in found} == {
        (f"http://{hall.address}/onvif/device_service", "Hall"),
        (f"http://{yard.address}/onvif/device_service", "Back yard"),
    }


def test_search_takes_the_address_that_the_answer_came_from():
    """A stranger must not send us, with a digest of the password, to a third party."""
    with OnvifCamera(host="127.0.0.5", claimed_host="192.0.2.99") as camera:
        (found,) = search(SHORT_S, "lo")
    assert found.host == camera.address


def test_search_without_a_device_ends_in_time():
    start_s = time.monotonic()
    assert search(0.5, "lo") == []
    assert time.monotonic() - start_s < 3


def test_search_on_an_unknown_interface_is_an_error():
    with pytest.raises(SourceError, match=r"interface nothing0 \(no such interface\); name the cameras with --address"):
        search(0.5, "nothing0")


@pytest.mark.parametrize("address", ["10.0.0.7", "10.0.0.7:8080", "hall.example.org:80", "[::1]:80", "[::1]"])
def test_device_at_takes_host_and_port(address):
    assert device_at(address).url == f"http://{address}/onvif/device_service"
    assert device_at("10.0.0.7:443").url.startswith("https://")


@pytest.mark.parametrize(
    "address", ["", ":80", "a:b", "a:99999", "u:secret@a", "http://a", "a/b", "a b", "a?x", "a#x", "[1"]
)
def test_device_at_refuses_anything_else(address):
    with pytest.raises(ValueError, match="give HOST or HOST:PORT") as refused:
        device_at(address)
    assert "secret" not in str(refused.value)
