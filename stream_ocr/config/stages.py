"""Settings of the stages that turn video into events: decode, detect, track, recognize, publish."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from stream_ocr.config.areas import Areas
from stream_ocr.config.base import YAML_OFF, ConfigModel, TextConstraints


class DecodeSettings(ConfigModel):
    """Video decoding."""

    threads: int = Field(1, ge=1, description="Number of threads of the video decoder, for each source.")
    max_pixels: int = Field(
        33_177_600,
        ge=1,
        description="Maximum frame size in pixels (width × height); larger video is rejected. "
        "The default is 7680×4320.",
    )
    ca_file: Path | None = Field(
        None,
        description="File with certificates of authorities, one of which must have signed that of an https server. "
        "null: those of the system.",
    )
    confined: bool = Field(
        True,
        description="The process that decodes a file or camera can open nothing else and start no program, where the "
        "kernel has Landlock and seccomp (stream-ocr doctor tells).",
    )


class GatingSettings(ConfigModel):
    """Change detection, which decides how much work a frame gets."""

    change_threshold: float = Field(
        7.0,
        gt=0,
        description="A tile of the frame counts as changed if the root mean square difference between its luma "
        "(0–255) and that of the last processed frame is at least this. "
        "Lower values react to fainter changes and cost more detection.",
    )


class BatchSettings(ConfigModel):
    """Batches of the detector."""

    max_items: int = Field(4, ge=1, description="Maximum number of frames in a batch.")
    max_wait_ms: float = Field(
        10.0,
        ge=0,
        description="Maximum time in milliseconds that a batch waits for more frames, on devices that gain from it "
        "(CUDA).",
    )


class DetectionSettings(Areas):
    """Text detection."""

    idle_fps: float = Field(
        2.0,
        gt=0,
        description="Detector runs per second of video while the picture moves but no new text appears. "
        "Three of four start at half resolution and continue at full resolution only if they find something new.",
    )
    max_fps: float = Field(
        5.0, gt=0, description="Maximum detector runs per second of video, used while new content keeps appearing."
    )
    long_side: int | None = Field(
        None,
        ge=32,
        description="Frames are scaled so that their longer side has this many pixels before detection. "
        "null: default of the model.",
    )
    fine_pass: Annotated[Literal["auto", "off"], YAML_OFF] = Field(
        "auto",
        description="auto: frames 1.8 times as large as long_side, or more, get a second detector run at double "
        "resolution, for small text, in the regions where the picture has come to rest. off: no second run.",
    )
    bin_thresh: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="A pixel counts as text if its probability is at least this (0–1). null: default of the model.",
    )
    box_thresh: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Minimum mean probability of a detected region (0–1). null: default of the model.",
    )
    unclip_ratio: float | None = Field(
        None,
        ge=0,
        description="Factor by which detected regions are expanded; 1 exactly undoes the shrinking done in training. "
        "null: default of the model.",
    )
    max_boxes: int = Field(300, ge=1, description="Maximum number of regions kept per frame.")
    min_height_px: float = Field(
        6.0, ge=0, description="Minimum text height in pixels of the source frame; smaller text is ignored."
    )
    onnx: Path | None = Field(
        None,
        description="ONNX file of a DB-style detector that replaces the detector of `models`. "
        "null: the detector of `models`.",
    )
    batch: BatchSettings = Field(BatchSettings(), description="Frames of several sources are detected in one batch.")


class TrackingSettings(ConfigModel):
    """Tracking of text between frames."""

    birth_score: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Minimum score (0–1) of a region that starts a new track; regions below it can only continue an "
        "existing track. null: default of the model.",
    )
    min_age_s: float = Field(
        0.2,
        ge=0,
        description="A new track that has been visible for this many seconds is confirmed without a second detection.",
    )
    max_lost_s: float = Field(
        1.0, ge=0, description="A track that has not been visible for this many seconds has ended."
    )


class RecognitionSettings(TextConstraints):
    """Text recognition."""

    max_batch: int = Field(16, ge=1, description="Maximum number of text lines in a batch.")
    max_readings: int = Field(
        5, ge=1, description="Maximum number of readings that are combined for one text while its content is the same."
    )
    reread_interval_s: float = Field(
        0.5,
        ge=0,
        description="Time in seconds between the first two readings of a text; it doubles after each further reading.",
    )
    reread: Literal["when_unsure", "always"] = Field(
        "when_unsure",
        description="when_unsure: a text is read again only if another reading may change the result. "
        "always: it is read max_readings times.",
    )
    max_readings_per_s: float = Field(
        10.0,
        gt=0,
        description="Maximum average number of readings per second of one text whose content keeps changing, "
        "such as a stopwatch; changes that follow each other faster are not all reported.",
    )
    second_reader: Annotated[Literal["auto", "off"], YAML_OFF] = Field(
        "auto",
        description="auto: with `models: auto` and the extra [ppocr], PP-OCRv6 also reads the texts that the built-in "
        "recogniser is unsure of, and the surer reading wins. off: one recogniser reads everything.",
    )
    language_model: Annotated[Literal["auto", "off"] | Path, YAML_OFF] = Field(
        "auto",
        description="Language model for words of which the recognisers of `models: auto` and `builtin` are unsure; "
        "numbers and codes are not touched. auto: the built-in model of 16 European languages. off: none. A path: your "
        "own table (python -m stream_ocr.training.language_model).",
    )
    margin: float | None = Field(
        None,
        ge=0,
        description="Margin that is added to each side of a text line before it is read, as a multiple of the line "
        "height. null: default of the model.",
    )
    onnx: Path | None = Field(
        None,
        description="ONNX file of a CTC recogniser that replaces the recogniser of `models`. "
        "null: the recogniser of `models`.",
    )
    characters: Path | None = Field(
        None,
        description="File with the characters that the recogniser in `onnx` knows, one per line. "
        "null: the list stored in the ONNX file.",
    )
    temperature: float | None = Field(
        None,
        gt=0,
        description="Temperature of the softmax that calibrates confidences; higher values lower them. "
        "null: default of the model.",
    )
    beam: int = Field(1, ge=1, le=100, description="Beam width of the CTC decoder. 1: greedy decoding.")
