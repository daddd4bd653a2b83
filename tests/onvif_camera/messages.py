"""XML of ONVIF devices, as ONVIF's WSDL and schemas define it."""

import hashlib
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

SCHEMA = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "d": "http://schemas.xmlsoap.org/ws/2005/04/discovery",
    "dn": "http://www.onvif.org/ver10/network/wsdl",
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tr2": "http://www.onvif.org/ver20/media/wsdl",
    "tt": "http://www.onvif.org/ver10/schema",
    "ter": "http://www.onvif.org/ver10/error",
    "wsse": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "wsu": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
}


@dataclass(frozen=True)
class Profile:
    """A media profile. source: token of the picture that it shows."""

    token: str
    name: str
    url: str
    size: tuple[int, int] = (1920, 1080)
    codec: str = "H264"
    fps: int = 25
    source: str = "VideoSource1"


def media_profile(profile: Profile) -> str:
    width, height = profile.size
    return (
        f'<trt:Profiles token="{profile.token}" fixed="true"><tt:Name>{escape(profile.name)}</tt:Name>'
        f"{_source('tt:VideoSourceConfiguration', profile)}"
        f'<tt:VideoEncoderConfiguration token="Encoder-{profile.token}"><tt:Name>Encoder</tt:Name>'
        f"<tt:UseCount>1</tt:UseCount><tt:Encoding>{profile.codec}</tt:Encoding>"
        f"<tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>"
        f"<tt:Quality>5</tt:Quality><tt:RateControl><tt:FrameRateLimit>{profile.fps}</tt:FrameRateLimit>"
        "<tt:EncodingInterval>1</tt:EncodingInterval><tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl>"
        "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address>"
        "<tt:Port>0</tt:Port><tt:TTL>1</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>"
        "<tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:VideoEncoderConfiguration></trt:Profiles>"
    )


def media2_profile(profile: Profile) -> str:
    width, height = profile.size
    return (
        f'<tr2:Profiles token="{profile.token}" fixed="true"><tr2:Name>{escape(profile.name)}</tr2:Name>'
        f"<tr2:Configurations>{_source('tr2:VideoSource', profile)}"
        f'<tr2:VideoEncoder token="Encoder-{profile.token}"><tt:Name>Encoder</tt:Name><tt:UseCount>1</tt:UseCount>'
        f"<tt:Encoding>{profile.codec}</tt:Encoding>"
        f"<tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>"
        f'<tt:RateControl ConstantBitRate="false"><tt:FrameRateLimit>{profile.fps}</tt:FrameRateLimit>'
        "<tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl><tt:Quality>5</tt:Quality></tr2:VideoEncoder>"
        "</tr2:Configurations></tr2:Profiles>"
    )


def _source(tag: str, profile: Profile) -> str:
    return (
        f'<{tag} token="Config-{profile.source}"><tt:Name>Source</tt:Name><tt:UseCount>1</tt:UseCount>'
        f"<tt:SourceToken>{profile.source}</tt:SourceToken>"
        f'<tt:Bounds x="0" y="0" width="1920" height="1080"/></{tag}>'
    )


def envelope(body: str, header: str = "") -> bytes:
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in SCHEMA.items())
    return (
        f"<?xml version='1.0'?><s:Envelope {spaces}><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault(subcode: str, reason: str) -> bytes:
    return envelope(
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value>"
        f"<s:Subcode><s:Value>{subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{reason}</s:Text></s:Reason></s:Fault>'
    )


def probe_match(name: str, types: str, url: str, message_id: str) -> bytes:
    """Return the answer to a probe. url: of the device service."""
    scopes = f"onvif://www.onvif.org/Profile/Streaming onvif://www.onvif.org/name/{quote(name, safe='')}"
    header = f"<a:RelatesTo>{message_id}</a:RelatesTo><a:Action>{SCHEMA['d']}/ProbeMatches</a:Action>"
    return envelope(
        "<d:ProbeMatches><d:ProbeMatch><a:EndpointReference>"
        f"<a:Address>urn:uuid:{hashlib.md5(url.encode()).hexdigest()}</a:Address></a:EndpointReference>"
        f"<d:Types>{types}</d:Types><d:Scopes>{scopes}</d:Scopes><d:XAddrs>{url}</d:XAddrs>"
        "<d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>",
        header,
    )
