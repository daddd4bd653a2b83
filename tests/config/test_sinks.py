import os

import pytest

from stream_ocr.config.loading import PREFIX
from stream_ocr.config.settings import Settings, read_secret
from stream_ocr.config.sinks import CsvSettings, JsonlSettings, MqttSettings, Rule, SubtitleSettings, WebhookSettings
from stream_ocr.errors import SettingsError, SinkError
from stream_ocr.sinks import ConsoleSink, configured, open_sinks
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


def test_sinks_and_rules_are_read(tmp_path):
    settings = load(tmp_path, f"{HOOK}}}, {BROKER}}}, {LOG}}}", "{match: {regex: A}, sinks: [webhook, a.jsonl]}")
    assert [type(sink) for sink in settings.sinks] == [WebhookSettings, MqttSettings, JsonlSettings]
    assert [sink.label for sink in settings.sinks] == ["webhook", "mqtt", "a.jsonl"]
    assert settings.rules == (Rule(match={"regex": "A"}, sinks=("webhook", "a.jsonl")),)
    assert settings.without_sinks() == Settings()


def test_they_are_written_and_read_back_and_travel_as_json(tmp_path):
    given = load(
        tmp_path,
        f"{HOOK}, secret: 'env:HOOK'}}, {LOG}, daily: true}}, {{type: vtt, path: a.vtt}}, {{type: csv, path: a.csv}}",
        "{match: {region: [[0, 0], [9, 0], [9, 9]], hours: '22:00-06:00', watch: [EXIT]}, sinks: [a.csv]}",
    )
    file = tmp_path / "again.yaml"
    file.write_text(given.yaml())
    assert Settings.load(file) == given
    assert Settings.model_validate(given.model_dump(mode="json")) == given


def test_none_of_them_is_no_mistake(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("sinks:\nrules:\n")
    assert Settings.load(file) == Settings()


def test_a_list_can_be_given_on_the_command_line():
    (sink,) = Settings.load(None, [f"sinks=[{LOG}}}]"]).sinks
    assert sink == JsonlSettings(type="jsonl", path="a.jsonl")


@pytest.mark.parametrize(
    ("sinks", "rules", "sentence"),
    [
        ("{type: webhok}", "", "'webhok' found using 'type' does not match"),
        ("{path: a.jsonl}", "", "unable to extract tag using discriminator 'type'"),
        (f"{LOG}, dayly: true}}", "", "sinks.0.jsonl.dayly"),
        ("{type: webhook, spool: a, url: example.org}", "", "give a whole address"),
        ("{type: webhook, spool: a, url: 'ftp://example.org'}", "", "give a whole address"),
        ("{type: webhook, spool: a, url: 'http://['}", "", "give a whole address"),
        ("{type: webhook, spool: a, url: 'http://a:99999'}", "", "give a whole address"),
        ("{type: webhook, spool: a, url: 'http://a/b c'}", "", "give a whole address"),
        ("{type: webhook, spool: a, url: 'http://bücher.example/'}", "", "give a whole address"),
        ("{type: webhook, url: 'http://a'}", "", "sinks.0.webhook.spool"),
        (f"{BROKER}, topic: 'a/#'}}", "", "has none of"),
        (f"{BROKER}, port: 0}}", "", "sinks.0.mqtt.port"),
        ("{type: srt, path: a.txt}", "", "ends with .srt"),
        (f"{LOG}}}, {LOG}}}", "", "two sinks are called 'a.jsonl'"),
        (f"{HOOK}}}, {HOOK}, name: b}}", "", "two sinks have the spool spool/hook"),
        ("", "{sinks: [a]}", "a rule names the sink 'a'; there are none"),
        (f"{LOG}}}", "{sinks: [b]}", "a rule names the sink 'b'; there are a.jsonl"),
        (f"{LOG}}}", "{sinks: []}", "rules.0.sinks"),
        (f"{LOG}}}", "{match: {regex: '('}, sinks: [a.jsonl]}", "'(' is no regular expression of RE2"),
        (f"{LOG}}}", "{match: {regex: '(?=a)'}, sinks: [a.jsonl]}", "is no regular expression of RE2"),
        (f"{LOG}}}", "{match: {hours: '6-25'}, sinks: [a.jsonl]}", "'6-25' is no span of the day"),
        (f"{LOG}}}", "{match: {hours: '06:00+02:00-22:00'}, sinks: [a.jsonl]}", "is no span of the day"),
        (f"{LOG}}}", "{match: {zone: Mars/Base}, sinks: [a.jsonl]}", "'Mars/Base' is no time zone"),
        (f"{LOG}}}", "{match: {zone: ../../etc}, sinks: [a.jsonl]}", "is no time zone"),
        (f"{LOG}}}", "{match: {region: [[0, 0], [1, 1]]}, sinks: [a.jsonl]}", "rules.0.match.region"),
        (f"{LOG}}}", "{match: {watch: [A]}, sinks: [a.jsonl]}", "with 1 wrong letters anything is 'A'"),
        (f"{LOG}}}", "{match: {watch: ['--']}, sinks: [a.jsonl]}", "rules.0.match.watch.0"),
        (f"{LOG}}}", "{kinds: [vanished], sinks: [a.jsonl]}", "rules.0.kinds.0"),
    ],
)
def test_what_is_wrong_is_told_at_the_start(tmp_path, sinks, rules, sentence):
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
def test_a_secret_in_the_settings_is_refused_and_not_repeated(tmp_path, sinks):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, sinks)
    assert "sinks.0" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_secrets_come_from_the_environment_or_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "from the environment")
    (tmp_path / "key").write_text("from a file\n")
    assert read_secret("env:HOOK_SECRET") == b"from the environment"
    assert read_secret(f"file:{tmp_path / 'key'}") == b"from a file"


def test_a_secret_that_is_not_there_is_said(tmp_path):
    (tmp_path / "empty").touch()
    with pytest.raises(SettingsError, match="There is no secret at env:NOT_SET"):
        read_secret("env:NOT_SET")
    with pytest.raises(SettingsError, match=r"There is no secret at file:.*empty"):
        read_secret(f"file:{tmp_path / 'empty'}")
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_secret(f"file:{tmp_path / 'none'}")


def test_a_sink_is_behind_the_rules_that_name_it(tmp_path):
    settings = load(tmp_path, f"{LOG}}}, {{type: csv, path: b.csv}}", "{match: {stream: a}, sinks: [b.csv]}")
    log, table = configured(settings)
    assert not isinstance(log, RuledSink), "no rule names it: it gets everything"
    assert isinstance(table, RuledSink)
    assert [log.name, table.name] == ["a.jsonl", "b.csv"]


def test_names_hold_for_outputs_as_well(tmp_path):
    settings = load(tmp_path, f"{LOG}}}")
    with pytest.raises(SinkError, match="given twice"):
        open_sinks(["a.jsonl"], settings)
    assert open_sinks(["console"], settings).failures == 0
    assert ConsoleSink().name == "console"


def test_types_of_files(tmp_path):
    settings = load(tmp_path, "{type: csv, name: t, path: a.csv}, {type: srt, path: a.srt}")
    assert settings.sinks == (
        CsvSettings(type="csv", name="t", path="a.csv"),
        SubtitleSettings(type="srt", path="a.srt"),
    )
    assert [sink.name for sink in configured(settings)] == ["t", "a.srt"]
