"""Check of the settings of a fleet."""

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import MqttSettings, NatsSettings, WebhookSettings
from stream_ocr.errors import SettingsError

_NETWORK = (NatsSettings, MqttSettings, WebhookSettings)


def check_fleet(settings: Settings) -> None:
    """Raise SettingsError if the settings are not those of a fleet."""
    if not settings.sources:
        raise SettingsError("There is nothing to watch; name cameras under sources (see docs/fleet.md).")
    if not any(isinstance(sink, NatsSettings) for sink in settings.sinks):
        raise SettingsError("The events of a fleet meet in NATS; add a sink of type nats (see docs/fleet.md).")
    if files := [sink.label for sink in settings.sinks if not isinstance(sink, _NETWORK)]:
        raise SettingsError(f"The hosts of a fleet write no files of events; remove the sinks {', '.join(files)}.")
    if settings.store.path is not None or settings.socket.events is not None:
        raise SettingsError(
            "The hosts of a fleet have no store and no socket; remove store.path and socket.events, and collect the"
            " events with `stream-ocr collect`."
        )
    if unknown := settings.fleet.cameras.keys() - settings.sources.keys():
        raise SettingsError(f"fleet.cameras names {', '.join(sorted(unknown))}, which is not under sources.")
