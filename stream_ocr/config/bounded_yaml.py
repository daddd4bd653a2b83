"""YAML for settings, parsed with limits on size, depth and the number of values, aliases expanded.

PyYAML alone needs exponential memory for nested aliases, and raises a dozen kinds of exception for values that it takes
for dates, long numbers or tagged objects. Settings need neither dates nor tags.
"""

from contextlib import closing
from typing import Any, cast

import yaml

from stream_ocr.config.thresholds import THRESHOLDS

_INT64 = 2**63  # settings have integers of 64 bits
_INT_DIGITS = 80  # of 64 bits in base 2, with sign, prefix and some underscores
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_INT = "tag:yaml.org,2002:int"


class _BoundedLoader(yaml.SafeLoader):
    """Checks each node while it is composed, before anything is constructed from it."""

    # A date stays a string: no setting is a date, and an impossible one is an error of PyYAML.
    yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML declares it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._count = 0
        self._sizes: dict[yaml.Node, int] = {}  # number of values in each complete node, aliases expanded

    def close(self) -> None:
        self.dispose()

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise _refusal(event, f"the tag {tag[:40]} is not allowed")
        before = self._count
        self._depth += 1
        if self._depth > THRESHOLDS.max_yaml_depth:
            raise _refusal(event, f"values are nested more than {THRESHOLDS.max_yaml_depth} deep")
        node: Any = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.ScalarNode):
            node.value.encode()  # lone surrogates, as "\\ud800" gives, cannot be passed on to workers
        if isinstance(event, yaml.AliasEvent):
            if node not in self._sizes:
                raise _refusal(event, f"*{event.anchor:.40} stands within the value that it repeats")
            self._count += self._sizes[node]
        else:
            self._count += 1
            self._sizes[node] = self._count - before
        if self._count > THRESHOLDS.max_yaml_values:
            raise _refusal(event, f"there are more than {THRESHOLDS.max_yaml_values} values, aliases expanded")
        return cast("yaml.Node", node)

    def construct_int(self, node: yaml.ScalarNode) -> int:
        """Return an integer of at most 64 bits."""
        if len(node.value) > _INT_DIGITS or abs(value := self.construct_yaml_int(node)) >= _INT64:
            raise _refusal(node, f"the number {node.value[:20]}… has more than 64 bits")
        return value


_BoundedLoader.add_constructor(_INT, _BoundedLoader.construct_int)


def parse(text: str) -> Any:
    """Return the value of a YAML document. Raises yaml.YAMLError if it is malformed or beyond the limits."""
    with closing(_loader(text)) as loader:
        try:
            return loader.get_single_data()
        except (ValueError, OverflowError) as error:  # such as 0b_, which PyYAML takes for a number
            raise yaml.YAMLError(str(error)) from error


def compose(text: str) -> yaml.Node | None:
    """Return the root node of a YAML document, None for an empty one. Raises yaml.YAMLError as ``parse`` does."""
    with closing(_loader(text)) as loader:
        return loader.get_single_node()


def _loader(text: str) -> _BoundedLoader:
    if len(text) > THRESHOLDS.max_yaml_characters:
        raise yaml.YAMLError(f"it is longer than {THRESHOLDS.max_yaml_characters} characters")
    return _BoundedLoader(text)


def _refusal(where: Any, problem: str) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=where.start_mark)
