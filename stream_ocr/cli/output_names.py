"""Names of outputs that depend on the input, such as ``{stem}.srt``.

``{name}``: file name of the input. ``{stem}``: file name without its suffix. ``{folder}``: folder of the input, which
is ``.`` for addresses and standard input.
"""

import string
from collections.abc import Sequence
from pathlib import Path

from stream_ocr.cli.inputs import Input
from stream_ocr.errors import SinkError
from stream_ocr.sources.addresses import video_name

SUBTITLE_SUFFIXES = frozenset({".srt", ".vtt", ".ass", ".txt"})
"""Suffixes of subtitle files, which cannot tell the texts of several videos apart."""


def is_pattern(output: str) -> bool:
    """Return True if the name of an output depends on the input. Raises SinkError for an unknown field."""
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(output) if field is not None]
    except ValueError:
        raise SinkError(f"{output!r} has a single brace; write {{{{ or }}}} for a brace in a name.") from None
    for field in fields:
        if field not in ("stem", "name", "folder"):
            raise SinkError(
                f"{output!r} has the unknown field {{{field}}}; the fields are {{stem}}, {{name}}, {{folder}}."
            )
    return bool(fields)


def outputs_by_input(patterns: Sequence[str], inputs: Sequence[Input]) -> list[list[str]]:
    """Return the outputs of each input. Raises SinkError if two inputs would share one."""
    outputs = [[_filled(pattern, input_) for pattern in patterns] for input_ in inputs]
    owners: dict[str, Input] = {}
    for input_, names in zip(inputs, outputs, strict=True):
        for name in names:
            if owners.setdefault(name, input_) is not input_:
                raise SinkError(
                    f"{name} would be written for {owners[name].file} and for {input_.file}; name the outputs apart, as"
                    " with {folder}/{name}."
                )
    return outputs


def _filled(pattern: str, input_: Input) -> str:
    name = Path(video_name(input_.file))
    return pattern.format(stem=name.stem, name=name.name, folder=input_.folder)


def check_shared(outputs: Sequence[str], inputs: Sequence[Input]) -> None:
    """Raise SinkError for an output that cannot hold the texts of several videos."""
    for output in outputs:
        suffix = Path(output).suffix.lower()
        if len(inputs) > 1 and suffix in SUBTITLE_SUFFIXES:
            raise SinkError(
                f"{output} would mix the texts of {len(inputs)} videos; -o '{{stem}}{suffix}' writes a file for each."
            )
