"""Change of single values in a YAML text. Every other character stays: comments, order, quotes, indentation.

The places of values come from the nodes and tokens of PyYAML. The new text is parsed and compared with what was meant,
so a text that is beyond these rules (anchors, unusual layouts) is refused and never damaged.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

import yaml

from stream_ocr.config import bounded_yaml

_STEP = "  "  # indentation of what is added
_LINE_DEPTH = 2  # nesting of lists that stand on one line, such as a polygon


def set_value(text: str, path: Sequence[str], key: str, value: Any) -> str:
    """Return the text with ``key`` of the mapping at ``path`` set to a value of JSON types; None: without the key.

    Raises ValueError if that cannot be done without a change of anything else, yaml.YAMLError if the text is malformed.
    """
    expected = _copy(bounded_yaml.parse(text))
    mapping = expected
    for name in path:
        mapping = mapping.get(name) if isinstance(mapping, dict) else None
    if not isinstance(mapping, dict):
        raise ValueError(f"there is no mapping {'.'.join(path)}")
    new = {name: each for name, each in mapping.items() if name != key} | ({} if value is None else {key: value})
    editor = _Editor(text)
    editor.change(editor.find(path), mapping, new)
    result = editor.apply()
    mapping.clear()
    mapping.update(new)
    try:
        parsed = bounded_yaml.parse(result)
    except yaml.YAMLError:
        parsed = None
    if not _is_same(parsed, expected):
        raise ValueError(f"{'.'.join([*path, key])} is shared with other values, or is written in an unusual way")
    return result


class _Editor:
    """Collects changes of a text as (start, end, replacement)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._edits: list[tuple[int, int, str]] = []
        self._dashes: list[int] = []
        self._commas: list[int] = []
        self._aliases: list[tuple[int, int]] = []
        for token in yaml.scan(text):
            if isinstance(token, yaml.BlockEntryToken):
                self._dashes.append(token.start_mark.index)
            elif isinstance(token, yaml.FlowEntryToken):
                self._commas.append(token.start_mark.index)
            elif isinstance(token, yaml.AliasToken):
                self._aliases.append((token.start_mark.index, token.end_mark.index))

    def find(self, path: Sequence[str]) -> yaml.MappingNode:
        """Return the mapping at a path. Raises ValueError if there is none."""
        node = bounded_yaml.compose(self._text)
        for name in path:
            node = _entries(node).get(name, (None, None))[1]
        if not isinstance(node, yaml.MappingNode):
            raise ValueError(f"there is no mapping {'.'.join(path)}")
        return node

    def apply(self) -> str:
        """Return the changed text. Raises ValueError if changes overlap."""
        parts, position = [], 0
        for start, end, replacement in sorted(self._edits, key=lambda edit: edit[:2]):
            if start < position:
                raise ValueError("several values to change are written on the same line in an unusual way")
            parts += [self._text[position:start], replacement]
            position = end
        return "".join([*parts, self._text[position:]])

    def change(self, node: yaml.Node, old: Any, new: Any) -> None:
        """Change what differs between the old and the new value of a node."""
        if old == new:
            return
        if isinstance(node, yaml.MappingNode) and isinstance(new, dict) and old and new:
            self._change_mapping(node, old, new)
        elif isinstance(node, yaml.SequenceNode) and isinstance(new, list) and old and new:
            self._change_sequence(node, old, new)
        else:
            start = node.start_mark.index
            end = self._end(node, start)
            self._edits.append((start, end, _flow(new) if end > start else f" {_flow(new)}"))

    def _change_mapping(self, node: yaml.MappingNode, old: dict[str, Any], new: dict[str, Any]) -> None:
        entries = _entries(node)
        removed = [name for name in entries if name in old and name not in new]
        added = [name for name in new if name not in entries and (name not in old or new[name] != old[name])]
        renamed = dict(zip(removed, added, strict=False))
        kept = None
        for name, (key, value) in entries.items():
            start, end = key.start_mark.index, self._end(value, key.end_mark.index)
            current = renamed.get(name, name)
            if name in old and current not in new:
                self._remove(node, start, end)
                continue
            if current != name:
                self._edits.append((start, key.end_mark.index, _flow(current)))
            if name in old:  # or else it is the key << of a merge
                self.change(value, old[name], new[current])
            kept = end
        assert kept is not None, "a mapping with new content keeps an entry"
        for name in added[len(renamed) :]:
            if node.flow_style:
                self._edits.append((kept, kept, f", {_flow(name)}: {_flow(new[name])}"))
            else:
                indent = " " * node.start_mark.column
                self._add_lines(kept, f"{indent}{_flow(name)}:{self._block(new[name], indent)}")

    def _change_sequence(self, node: yaml.SequenceNode, old: list[Any], new: list[Any]) -> None:
        places: list[tuple[int, int]] = []
        for item in node.value:
            after = places[-1][1] if places else node.start_mark.index
            start = item.start_mark.index if item.start_mark.index >= after else after
            places.append((start, self._end(item, start)))
        pairs = list(_pairs(old, new))
        first = next(index for index, _ in pairs if index is not None and (index, None) not in pairs)
        kept = None
        for before, after_ in pairs:
            if before is None:
                assert after_ is not None
                self._insert(node, places, first if kept is None else kept, new[after_], is_before=kept is None)
            elif after_ is None:
                start, end = places[before]
                start = start if node.flow_style else self._dash_before(start)
                self._remove(node, start, end)
            else:
                self.change(node.value[before], old[before], new[after_])
                kept = before

    def _insert(
        self, node: yaml.SequenceNode, places: list[tuple[int, int]], neighbour: int, value: Any, *, is_before: bool
    ) -> None:
        """Insert an item before or after another one."""
        start, end = places[neighbour]
        if node.flow_style:
            self._edits.append((start, start, f"{_flow(value)}, ") if is_before else (end, end, f", {_flow(value)}"))
            return
        dash = self._dash_before(start)
        indent = " " * node.start_mark.column
        if is_before:
            self._edits.append((dash, dash, f"- {_flow(value)}{self._newline}{indent}"))
        else:
            self._add_lines(end, f"{indent}- {_flow(value)}")

    def _add_lines(self, after: int, lines: str) -> None:
        """Add lines below the one in which a value ends."""
        if self._text[after - 1] == "\n":  # the end of a block scalar
            self._edits.append((after, after, lines + self._newline))
            return
        end = self._line_end(after)
        self._edits.append((end, end, self._newline + lines))

    def _remove(self, node: yaml.CollectionNode, start: int, end: int) -> None:
        """Remove an entry or item: its lines, or what lies between two commas."""
        text = self._text
        if not node.flow_style:
            begin = text.rfind("\n", 0, start) + 1
            if text[begin:start].strip(" "):
                raise ValueError("a value to remove does not begin a line")
            stop = end if text[end - 1] == "\n" else self._line_end(end)
            self._edits.append((begin, stop + len(self._newline) if text[stop : stop + 1] else stop, ""))
            return
        self._edits.append((start, end, ""))
        following = bisect_left(self._commas, end)
        if following < len(self._commas) and (comma := self._commas[following]) < node.end_mark.index:
            blanks = len(text) - len(text[comma + 1 :].lstrip(" ")) - comma - 1
            self._edits.append((comma, comma + 1 + blanks, ""))
            return
        preceding = bisect_left(self._commas, start) - 1
        comma = self._commas[preceding] if preceding >= 0 else -1
        is_taken = any(begin <= comma < stop for begin, stop, _ in self._edits)
        if comma > node.start_mark.index and not is_taken and not text[comma + 1 : start].strip():
            self._edits.append((comma, start, ""))

    def _block(self, value: Any, indent: str) -> str:
        """Return what follows the colon of a key: lists of lists and mappings of mappings take several lines."""
        if _depth(value) <= _LINE_DEPTH:
            return f" {_flow(value)}"
        inner = indent + _STEP
        if isinstance(value, dict):
            lines = [f"{inner}{_flow(name)}:{self._block(each, inner)}" for name, each in value.items()]
        else:
            lines = [f"{inner}- {_flow(each)}" for each in value]
        return self._newline + self._newline.join(lines)

    def _end(self, node: yaml.Node, after: int) -> int:
        """Return the index behind the last character of a value that begins at ``after`` or later."""
        if node.start_mark.index < after:  # an alias; the node lies at its anchor
            return next((end for start, end in self._aliases if start >= after), after)
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            if isinstance(node, yaml.MappingNode):
                return self._end(last[1], last[0].end_mark.index)
            return self._end(last, node.start_mark.index)
        return int(node.end_mark.index)

    def _line_end(self, index: int) -> int:
        end = self._text.find("\n", index)
        end = len(self._text) if end < 0 else end
        return end - 1 if self._text[end - 1] == "\r" else end

    def _dash_before(self, index: int) -> int:
        return self._dashes[bisect_left(self._dashes, index) - 1]


def _entries(node: yaml.Node | None) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """Return (key, value) by the text of the key."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: (key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def _pairs(old: list[Any], new: list[Any]) -> Iterator[tuple[int | None, int | None]]:
    """Yield pairs of indices of items that continue each other; None for one that is added or removed."""
    before, after = ([repr(_numbers(item)) for item in items] for items in (old, new))
    for _, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        yield from zip_longest(range(i, j), range(k, m))


def _numbers(value: Any) -> Any:
    """Return a value with all numbers as floats: 0 and 0.0 are the same coordinate."""
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if isinstance(value, int) else value


def _flow(value: Any) -> str:
    """Return a value on one line."""
    line = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf"))
    return str(line)[1:].rstrip("\n").removesuffix("]")


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _copy(value: Any) -> Any:
    """Return a copy in which no value is shared by aliases."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _is_same(a: Any, b: Any) -> bool:
    """Return whether two values are equal; 1 is 1.0 but not True."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_is_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_is_same, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return bool(a == b or (a != a and b != b))
