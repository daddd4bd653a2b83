import os

import pytest

from stream_ocr.config.loading import PREFIX
from stream_ocr.config.settings import Settings, read_secret
from stream_ocr.config.sinks import CsvSettings, JsonlSettings, MqttSettings, Rule, SubtitleSettings, WebhookSettings
from stream_ocr.errors import SettingsError, SinkError
from stream_ocr.sinks import ConsoleSink, open_sinks, sinks_from_settings
from stream_ocr.sinks.rules import RuledSink


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


HOOK = "{type: webhook, url: 'https://example.org/in', spool: spool/hook"
BROKER = "{type: mqtt, host: broker, spool: spool/broker"
LOG = "{type: jsonl, path: a.jsonl"


def load(tmp_path, sinks: str = "", rules: str = "") -> Settings:
    file = tmp_path / "settings.yaml"
    file.write_text(f"sinks: [{sinks}]\nrules: [{rules}]\n")
    return Settings.load(file)


def test_sinks_and_rules_are_loaded_from_yaml(tmp_path):
    settings = load(tmp_path, f"{HOOK}}}, {BROKER}}}, {LOG}}}", "{match: {regex: A}, sinks: [webhook, a.jsonl]}")
    assert [type(sink) for sink in settings.sinks] == [WebhookSettings, MqttSettings, JsonlSettings]
    assert [sink.label for sink in settings.sinks] == ["webhook", "mqtt", "a.jsonl"]
    assert settings.rules == (Rule(match={"regex": "A"}, sinks=("webhook", "a.jsonl")),)
    assert settings.without_sinks() == Settings()


def test_sinks_and_rules_survive_yaml_and_json_round_trips(tmp_path):
    given = load(
        tmp_path,
        f"{HOOK}, secret: 'env:HOOK'}}, {LOG}, daily: true}}, {{type: vtt, path: a.vtt}}, {{type: csv, path: a.csv}}",
        "{match: {region: [[0, 0], [9, 0], [9, 9]], hours: '22:00-06:00', watch: [EXIT]}, sinks: [a.csv]}",
    )
    file = tmp_path / "again.yaml"
    file.write_text(given.to_yaml())
    assert Settings.load(file) == given
    assert Settings.model_validate(given.model_dump(mode="json")) == given


def test_empty_sinks_and_rules_are_allowed(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("sinks:\nrules:\n")
    assert Settings.load(file) == Settings()


def test_sinks_can_be_set_by_override():
    (sink,) = Settings.load(None, [f"sinks=[{LOG}}}]"]).sinks
    assert sink == JsonlSettings(type="jsonl", path="a.jsonl")


@pytest.mark.parametrize(
    ("sinks", "rules", "sentence"),
    [
        ("{type: webhok}", "", "'webhok' found using 'type' does not match"),
        ("{path: a.jsonl}", "", "unable to extract tag using discriminator 'type'"),
        (f"{LOG}, dayly: true}}", "", "sinks.0.jsonl.dayly"),
        ("{type: webhook, spool: a, url: example.org}", "", "give a complete address"),
        ("{type: webhook, spool: a, url: 'ftp://example.org'}", "", "give a complete address"),
        ("{type: webhook, spool: a, url: 'http://['}", "", "give a complete address"),
        ("{type: webhook, spool: a, url: 'http://a:99999'}", "", "give a complete address"),
        ("{type: webhook, spool: a, url: 'http://a/b c'}", "", "give a complete address"),
        ("{type: webhook, spool: a, url: 'http://bücher.example/'}", "", "give a complete address"),
        ("{type: webhook, url: 'http://a'}", "", "sinks.0.webhook.spool"),
        (f"{BROKER}, topic: 'a/#'}}", "", "must not contain + or #"),
        (f"{BROKER}, port: 0}}", "", "sinks.0.mqtt.port"),
        ("{type: srt, path: a.txt}", "", "must end with .srt"),
        (f"{LOG}}}, {LOG}}}", "", "two sinks have the name 'a.jsonl'"),
        (f"{HOOK}}}, {HOOK}, name: b}}", "", "two sinks have the spool spool/hook"),
        ("", "{sinks: [a]}", "a rule names the unknown sink 'a'; the sinks are: none"),
        (f"{LOG}}}", "{sinks: [b]}", "a rule names the unknown sink 'b'; the sinks are: a.jsonl"),
        (f"{LOG}}}", "{sinks: []}", "rules.0.sinks"),
        (f"{LOG}}}", "{match: {regex: '('}, sinks: [a.jsonl]}", "'(' is not a valid RE2 regular expression"),
        (f"{LOG}}}", "{match: {regex: '(?=a)'}, sinks: [a.jsonl]}", "is not a valid RE2 regular expression"),
        (f"{LOG}}}", "{match: {hours: '6-25'}, sinks: [a.jsonl]}", "'6-25' is not a range of times of day"),
        (f"{LOG}}}", "{match: {hours: '06:00+02:00-22:00'}, sinks: [a.jsonl]}", "is not a range of times of day"),
        (f"{LOG}}}", "{match: {zone: Mars/Base}, sinks: [a.jsonl]}", "'Mars/Base' is not a known time zone"),
        (f"{LOG}}}", "{match: {zone: ../../etc}, sinks: [a.jsonl]}", "is not a known time zone"),
        (f"{LOG}}}", "{match: {region: [[0, 0], [1, 1]]}, sinks: [a.jsonl]}", "rules.0.match.region"),
        (f"{LOG}}}", "{match: {watch: [A]}, sinks: [a.jsonl]}", "with a distance of 1 every text matches 'A'"),
        (f"{LOG}}}", "{match: {watch: ['--']}, sinks: [a.jsonl]}", "rules.0.match.watch.0"),
        (f"{LOG}}}", "{kinds: [vanished], sinks: [a.jsonl]}", "rules.0.kinds.0"),
    ],
)
def test_invalid_sinks_and_rules_are_rejected(tmp_path, sinks, rules, sentence):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, sinks, rules)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "sinks",
    [
        f"{HOOK}, secret: hunter2}}",
        f"{HOOK}, secret: 'env:'}}",
        f"{BROKER}, password: hunter2}}",
        "{type: webhook, spool: a, url: 'https://me:hunter2@example.org'}",
        "{url: 'https://me:hunter2@example.org', secret: hunter2}",
        f"{HOOK}, pasword: hunter2}}",
    ],
)
def test_secret_in_settings_is_rejected_without_repeating_it(tmp_path, sinks):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, sinks)
    assert "sinks.0" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_read_secret_reads_environment_and_files(tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "from the environment")
    (tmp_path / "key").write_text("from a file\n")
    assert read_secret("env:HOOK_SECRET") == b"from the environment"
    assert read_secret(f"file:{tmp_path / 'key'}") == b"from a file"


def test_read_secret_rejects_missing_secrets(tmp_path):
    (tmp_path / "empty").touch()
    with pytest.raises(SettingsError, match="There is no secret at env:NOT_SET"):
        read_secret("env:NOT_SET")
    with pytest.raises(SettingsError, match=r"There is no secret at file:.*empty"):
        read_secret(f"file:{tmp_path / 'empty'}")
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_secret(f"file:{tmp_path / 'none'}")


def test_configured_wraps_sinks_that_are_named_in_rules(tmp_path):
    settings = load(tmp_path, f"{LOG}}}, {{type: csv, path: b.csv}}", "{match: {stream: a}, sinks: [b.csv]}")
    log, table = sinks_from_settings(settings)
    assert not isinstance(log, RuledSink), "no rule names it, so it receives every event"
    assert isinstance(table, RuledSink)
    assert [log.name, table.name] == ["a.jsonl", "b.csv"]


def test_open_sinks_rejects_duplicate_names(tmp_path):
    settings = load(tmp_path, f"{LOG}}}")
    with pytest.raises(SinkError, match="given twice"):
        open_sinks(["a.jsonl"], settings)
    assert open_sinks(["console"], settings).failures == 0
    assert ConsoleSink().name == "console"


def test_file_sinks_are_named_by_name_or_path(tmp_path):
    settings = load(tmp_path, "{type: csv, name: t, path: a.csv}, {type: srt, path: a.srt}")
    assert settings.sinks == (
        CsvSettings(type="csv", name="t", path="a.csv"),
        SubtitleSettings(type="srt", path="a.srt"),
    )
    assert [sink.name for sink in sinks_from_settings(settings)] == ["t", "a.srt"]
