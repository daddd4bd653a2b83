"""Changes of values in YAML texts: all else stays as it is, and what cannot be changed safely is refused."""

import difflib
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ocr.config import bounded_yaml
from stream_ocr.config.thresholds import THRESHOLDS
from stream_ocr.config.yaml_edit import set_value

LEFT, RIGHT, TOP = [[0, 0], [0.5, 0], [0.5, 1]], [[0.5, 0], [1, 0], [1, 1]], [[0, 0], [1, 0], [1, 0.25]]
GATE = ("sources", "gate")
HEAD = "sources:\n  gate:\n"
BLOCK = """\
# cameras of the site
models:   builtin   # the fast ones
sources:
    # the main gate
    gate:
        url: "rtsp://10.0.0.7/live"   # behind the hedge
        regions:   # two halves
        - [[0, 0], [0.5, 0], [0.5, 1]]   # left
        # and the other half
        - - [0.5, 0]   # top
          - [1, 0]
          - [1, 1]
    # the yard
    yard: { path: /dev/video0 , max_fps: 3.0 }
"""


def changed_lines(before: str, after: str) -> list[str]:
    """Return the lines that were removed (-) and added (+)."""
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "-+"]


def test_one_corner_is_changed_in_place() -> None:
    after = set_value(BLOCK, GATE, "regions", [LEFT, [[0.5, 0.2], [1, 0], [1, 1]]])
    assert changed_lines(BLOCK, after) == ["-         - - [0.5, 0]   # top", "+         - - [0.5, 0.2]   # top"]


def test_items_are_added_and_removed_with_their_lines_only() -> None:
    after = set_value(BLOCK, GATE, "regions", [TOP, LEFT, RIGHT, TOP])
    assert changed_lines(BLOCK, after) == [
        "+         - [[0, 0], [1, 0], [1, 0.25]]",
        "+         - [[0, 0], [1, 0], [1, 0.25]]",
    ]
    assert bounded_yaml.parse(after)["sources"]["gate"]["regions"] == [TOP, LEFT, RIGHT, TOP]
    without = set_value(after, GATE, "regions", [LEFT, RIGHT, TOP])
    assert set_value(without, GATE, "regions", [LEFT, RIGHT]) == BLOCK
    assert changed_lines(BLOCK, set_value(BLOCK, GATE, "regions", [RIGHT])) == [
        "-         - [[0, 0], [0.5, 0], [0.5, 1]]   # left"
    ]


def test_new_keys_are_added_below_the_last_one_of_the_mapping() -> None:
    after = set_value(BLOCK, GATE, "fields", {"home": {"region": TOP, "pattern": r"\d+: 'x'"}, "on": {"region": TOP}})
    assert changed_lines(BLOCK, after) == [
        "+         fields:",
        "+           home:",
        "+             region: [[0, 0], [1, 0], [1, 0.25]]",
        r"+             pattern: '\d+: ''x'''",
        "+           'on':",
        "+             region: [[0, 0], [1, 0], [1, 0.25]]",
    ]
    assert set_value(after, GATE, "fields", None) == BLOCK
    assert after.index("fields:") < after.index("# the yard")


def test_field_is_renamed_in_place() -> None:
    text = f"{HEAD}    path: a\n    fields:\n      home: # left\n        region: [[0, 0], [1, 0], [1, 1]] # all\n"
    after = set_value(text, GATE, "fields", {"away": {"region": [[0, 0], [1, 0], [1, 1]]}})
    assert after == text.replace("home", "away")


def test_flow_mappings_are_changed_within_their_line() -> None:
    yard = ("sources", "yard")
    after = set_value(BLOCK, yard, "masks", [TOP])
    line = "    yard: { path: /dev/video0 , max_fps: 3.0, masks: [[[0, 0], [1, 0], [1, 0.25]]] }"
    assert changed_lines(BLOCK, after)[1] == f"+ {line}"
    assert set_value(after, yard, "masks", None) == BLOCK
    assert "masks: [[[0, 0], [1, 0], [1, 0.25]], [[0, 0], [0.5, 0], [0.5, 1]]] }" in set_value(
        after, yard, "masks", [TOP, LEFT]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + "    path: a", HEAD + "    path: a\n    masks:\n      - TOP"),
        (
            HEAD.replace("\n", "\r\n") + "    path: a\r\n",
            HEAD.replace("\n", "\r\n") + "    path: a\r\n    masks:\r\n      - TOP\r\n",
        ),
        (HEAD + "    path: a\n    masks:\n", HEAD + "    path: a\n    masks: [TOP]\n"),
        (HEAD + "    path: a\n    masks: [] # none\n", HEAD + "    path: a\n    masks: [TOP] # none\n"),
        (
            "base: &b {path: a}\n" + HEAD + "    <<: *b\n",
            "base: &b {path: a}\n" + HEAD + "    <<: *b\n    masks:\n      - TOP\n",
        ),
        ("sources: {gate: {path: a}}", "sources: {gate: {path: a, masks: [TOP]}}"),
        ("\ufeffsources: {gate: {path: a,}}", "\ufeffsources: {gate: {path: a, masks: [TOP],}}"),
    ],
)
def test_layouts(text: str, expected: str) -> None:
    assert set_value(text, GATE, "masks", [TOP]) == expected.replace("TOP", str(TOP))


@pytest.mark.parametrize(
    "text",
    [
        "sources:\n  gate: &g {path: a, masks: []}\n  yard: *g\n",
        "sources:\n  gate: {path: a, masks: &m [[[0, 0], [1, 0], [1, 1]]]}\n  yard: {path: b, masks: *m}\n",
        "base: &b {masks: []}\nsources:\n  gate:\n    <<: *b\n  yard: *b\n  gate: *b\n",
        "sources:\n  yard: {path: a}\n",
        "sources.gate: {path: a}\n",
        "- sources\n",
        "",
    ],
)
def test_what_cannot_be_changed_alone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"shared with other values|there is no mapping sources\.gate"):
        set_value(text, GATE, "masks", [TOP])


def test_value_that_comes_from_a_merge_cannot_be_removed() -> None:
    text = "base: &b {path: a, masks: [[[0, 0], [1, 0], [1, 1]]]}\nsources:\n  gate:\n    <<: *b\n    max_fps: 3\n"
    with pytest.raises(ValueError, match="shared with other values"):
        set_value(text, GATE, "masks", None)


@pytest.mark.parametrize("text", ["sources: {gate: !include a}", "a: 1\n---\nsources: {gate: {}}", "sources: {"])
def test_malformed_texts_are_errors_of_yaml(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        set_value(text, GATE, "masks", [TOP])


def test_the_longest_file_takes_seconds() -> None:
    camera = "  camera{}:\n    path: /dev/video0 # {}\n"
    text = "sources:\n" + "".join(camera.format(n, "x" * 40) for n in range(1000))
    assert len(text) < THRESHOLDS.max_yaml_characters
    began_s = time.process_time()
    after = set_value(text, ("sources", "camera999"), "masks", [TOP])
    assert changed_lines(text, after) == ["+     masks:", "+       - [[0, 0], [1, 0], [1, 0.25]]"]
    assert time.process_time() - began_s < 15


point = st.lists(st.sampled_from([0, 0.25, 0.5, 1, 1.0]), min_size=2, max_size=2)
polygons = st.lists(st.lists(point, min_size=3, max_size=5), max_size=4)


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, list[list[list[float]]]]:
    """Return a text with regions in any layout, and these regions."""
    regions = draw(polygons.filter(bool))
    comment = draw(st.sampled_from(["", " # note: [a, b]", " # - x"]))
    style = draw(st.sampled_from(["flow", "lines", "indentless", "deep", "all flow", "spread"]))
    indent = draw(st.sampled_from([1, 2, 4])) * " "
    head = f"a: 1{comment}\nsources:\n{indent}gate:\n"
    inner, lines = 2 * indent, []
    if style == "flow":
        lines = [f"{inner}regions: {regions}{comment}"]
    elif style in ("lines", "indentless"):
        item = inner + (indent if style == "lines" else "")
        lines = [f"{inner}regions:{comment}", *(f"{item}-   {polygon}{comment}" for polygon in regions)]
    elif style == "deep":
        lines = [f"{inner}regions:"]
        for polygon in regions:
            dashes = [f"{inner} - - {polygon[0]}{comment}", *(f"{inner}   - {point}{comment}" for point in polygon[1:])]
            lines += dashes
    elif style == "spread":
        lines = [f"{inner}regions: [", *(f"{inner}  {polygon},{comment}" for polygon in regions), f"{inner}]"]
    else:
        return f"sources: {{gate: {{path: x , regions: {regions}, max_fps: 3}} }}{comment}\n", regions
    last = draw(
        st.sampled_from([f"\n{inner}path: x{comment}\n", "", "\n", f"\n{indent}# end\n{indent}yard: {{path: y}}\n"])
    )
    return head + f"{inner}max_fps: 3\n" + "\n".join(lines) + last, regions


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


@settings(max_examples=300, deadline=None)
@given(texts(), polygons)
def test_any_change_means_what_was_asked_for_or_is_refused(given_: tuple[str, list], new: list) -> None:
    text, old = given_
    try:
        after = set_value(text, GATE, "regions", new or None)
    except ValueError as error:
        assert "unusual" in str(error) or "begin a line" in str(error)  # noqa: PT017
        return
    tree = bounded_yaml.parse(after)
    assert tree["sources"]["gate"].get("regions", []) == new
    assert {name: tree[name] for name in tree if name != "sources"} == ({"a": 1} if "a" in tree else {})
    if new[: len(old)] == old:
        assert comments(after) == comments(text), "nothing was removed"
    if new == old:
        assert after == text
