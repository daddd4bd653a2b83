"""Tuning values of the training data, one frozen dataclass per concern.

A *recipe* says how often a generator does something, and how large it draws; a *threshold* decides. Unless a field says
otherwise its value was chosen by hand, by looking at samples, and was not searched for. To change one makes other
samples: a run that is resumed afterwards learns from different data than before.

Shares are of all cases, 0 to 1. Ranges are (low, high). Grey levels are 0 to 255.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FontThresholds:
    """Which fonts of the machine are usable (``fonts.py``, ``font_library.py``, ``scripts.py``)."""

    check_px: int = 24
    """Size in pixels per em at which glyphs are compared. Enough to tell an empty box from a letter."""

    max_per_family: int = 8
    """Fonts of one family that are used, so that families with dozens of weights do not crowd out the others."""

    min_distinct_glyphs: int = 60
    """Minimum number of different drawings among the 94 printable ASCII characters; fewer: symbols or bar codes."""

    unicase_ratio: float = 1.1
    """Height of an h relative to an x below which small letters are drawn as capitals."""

    probe_px: int = 40
    """Size in pixels per em at which PP-OCRv6 reads the probe texts of a font: large and clean."""

    max_per_script: int = 60
    """Fonts per script other than Latin, spread over the families."""


@dataclass(frozen=True, slots=True)
class GlyphRecipe:
    """Masks in which the text of a line is laid out (``glyphs.py``)."""

    em_px: int = 42
    """Size of the letters in pixels: larger than the network's input, so that masks are mostly reduced."""

    mask_height_px: int = 88
    """Height of the mask: holds accents above capitals and the longest descenders at ``em_px``."""

    baseline_px: int = 60
    """Row of the baseline in the mask."""

    margin_px: int = 10
    """Columns on both sides of a glyph, for letters that reach beyond their advance."""

    ink_level: int = 64
    """Grey level above which a pixel counts as ink for the box of a text."""

    max_cached: int = 200_000
    """Glyphs kept in memory, a few kB each, until all are dropped."""


@dataclass(frozen=True, slots=True)
class BackgroundRecipe:
    """Pool of photographs (``backgrounds.py``)."""

    pool: int = 48
    """Photographs kept in memory at a time."""

    patches_per_photo: int = 120
    """Mean number of patches between two photographs that are read from disk: a patch then costs microseconds."""


@dataclass(frozen=True, slots=True)
class LineRecipe:
    """Generated lines and words for the recogniser (``line_images.py``, ``line_batches.py``, ``line_effects.py``)."""

    min_hardness: float = 0.25
    """Strength of all distortions at the first sample of a training; it grows to 1 over ``easy_samples``."""

    min_max_characters: int = 6
    """Longest text at the first sample, in characters: CTC learns short texts first."""

    max_characters: int = 48
    """Longest text at full strength, in characters."""

    max_line_characters: int = 44
    """Longest line of several words, in characters."""

    max_word_characters: int = 25
    """Longest single word, in characters."""

    min_line_room: int = 8
    """Room in characters below which no line of several words is drawn."""

    plate_hardness: float = 0.7
    """Strength of distortions of number plates, relative to other texts: letters that nothing but themselves explains
    must be recognisable."""

    digit_font_share: float = 0.12
    """Share of the texts for which a font of digits only is tried."""

    min_contrast: float = 22.0
    """Least difference between the grey levels of ink and background of a text in the scene."""

    min_deviation: float = 5.0
    """Standard deviation in grey levels of an image below which it is illegible and dropped."""

    outlined_below: float = 70.0
    """Contrast in grey levels below which an overlay always gets an outline."""

    styled_above: float = 60.0
    """Contrast in grey levels above which letters may be hollow or translucent, and stay legible."""

    columns_per_step: float = 1.2
    """Least width of a text, relative to the columns that CTC needs for its characters."""

    max_squeeze: float = 1.12
    """Width of a text relative to the network's widest input above which it is dropped instead of being squeezed."""

    large_px: int = 24
    """Height of an image in pixels above which outlines and shadows may be more than one pixel wide."""

    effect_height_px: int = 28
    """Height of a line in pixels for which the widths of blur are given; they scale with the height."""


@dataclass(frozen=True, slots=True)
class CodecRecipe:
    """Crops that go through H.264, many in one picture (``codec.py``)."""

    canvas_px: tuple[int, int] = (640, 384)
    """Width and height of the picture: multiples of the codec's blocks of 16 pixels."""

    crf: tuple[int, int] = (22, 42)
    """Constant rate factor of x264, from good to barely legible."""

    gap_px: int = 8
    """Space between two crops: half a block, so that they hardly share one."""

    height_px: tuple[int, int] = (10, 36)
    """Height of a crop in the picture: from the smallest legible text to a little above the network's input."""


@dataclass(frozen=True, slots=True)
class PlateRecipe:
    """Number plates (``plates.py``)."""

    font_tries: int = 8
    """Draws of a font until one is plain; then any is taken."""


@dataclass(frozen=True, slots=True)
class SubtitleRecipe:
    """Generated subtitles for the validation of the recogniser (``subtitle_lines.py``).

    The values define a validation set: to change one makes its figures incomparable with those of the training log.
    """

    frame_px: tuple[int, int] = (1280, 720)
    """Width and height of a picture."""

    crf: int = 28
    """Constant rate factor of x264: visibly compressed."""

    lines_per_frame: int = 6
    """Texts in one picture."""

    margin: tuple[float, float] = (0.0, 0.10)
    """Room round a line on each side of its crop, in line heights, as a good detector leaves it."""

    em_px: tuple[int, int] = (24, 44)
    """Size of the letters."""


@dataclass(frozen=True, slots=True)
class SceneRecipe:
    """Generated images for the detector (``scene_images.py``)."""

    sizes_px: tuple[tuple[int, int], ...] = ((512, 512), (640, 384), (640, 480), (576, 448), (448, 576))
    """Widths and heights of the images, even for the codec, and all larger than the pieces of 384 pixels."""

    text_free_share: float = 0.14
    """Share of the images without text, which teach false alarms only."""

    disc_share: float = 0.2
    """Share of the images with discs: a detector that had been trained for longer took discs of films for a "0"."""

    other_script_share: float = 0.15
    """Share of the blocks of lines that are not Latin, where there are fonts."""

    min_height_px: float = 7.0
    """Least text height; lower lines are neither learned nor counted (``TARGETS.min_height_px`` of ``training``)."""

    letter_width: float = 0.55
    """Mean width of a letter in text heights, to choose how many fit."""

    placement_tries: int = 6
    """Random places of which a block of text takes the first, or the smoothest, that is free."""


@dataclass(frozen=True, slots=True)
class DiscRecipe:
    """Round things that are no letter O (``discs.py``)."""

    moving_share: float = 0.4
    """Share of the images in which they are blurred along their path."""

    radius: tuple[float, float] = (0.02, 0.25)
    """Radius as a share of the image height, log-uniform."""


@dataclass(frozen=True, slots=True)
class CompositingThresholds:
    """Text in a picture (``compositing.py``, ``word_patches.py``)."""

    cell_px: int = 4
    """Side of a cell of the map that keeps texts apart: a gap of at least one cell stays between them."""

    ink_level: int = 60
    """Grey level above which a pixel of a drawn line counts as ink."""

    texture_gain: float = 1.2
    """Least contrast of ink without an outline, relative to the standard deviation of the background."""

    colour_tries: int = 12
    """Draws of a colour until one contrasts with the background; then black or white is taken."""

    min_word_px: int = 8
    """Least height of a real word that is pasted."""


@dataclass(frozen=True, slots=True)
class CropRecipe:
    """Pieces of images, generated and real (``sample_pool.py``, ``real_images.py``)."""

    halved_below: float = 0.55
    """Scale below which an image is halved while it is decoded, which is cheaper than the warp and does not alias."""

    text_share: float = 0.8
    """Share of the pieces of an image with text that lie around one of its lines."""


@dataclass(frozen=True, slots=True)
class RealImageRecipe:
    """Variations of labelled photographs and frames (``real_images.py``)."""

    degraded_share: float = 0.4
    """Share of the pieces that are degraded further, as ``degradation.capture`` does."""

    mirrored_share: float = 0.25
    """Share that is mirrored left to right. The detector need not read."""

    rotated_share: float = 0.06
    """Share that is rotated by 90°."""

    inverted_share: float = 0.04
    """Share with inverted colours."""

    grey_share: float = 0.06
    """Share without colours."""


@dataclass(frozen=True, slots=True)
class SplitRules:
    """Which data are kept aside for validation.

    Neighbours often show one scene, so the splits follow whole pictures or runs of them. To change a value moves what
    was trained on into validation: figures of existing weights are void then.
    """

    pictures_per_run: int = 10
    """Detector: neighbouring pictures of a set that stay together."""

    every_run: int = 5
    """Detector: of so many runs the last one is kept aside."""

    word_share: float = 0.2
    """Share of the word crops that ``recognizer-small`` and the detector keep aside; decided by the crop's name."""

    teacher_share: float = 0.15
    """Share of the pictures read by the teacher whose crops are kept aside; decided by the picture's name."""

    first_crop: Mapping[str, int] = field(default_factory=lambda: {"icdar15_train": 3574, "iiit5k_train": 1600})
    """First crop of validation of each set that is split: its last fifth, since crops are numbered by picture."""

    caption_sentences: int = 1000
    """Sentences at the end of each caption file that the generator leaves out."""


@dataclass(frozen=True, slots=True)
class FilmRecipe:
    """Stills of clips without text, for the detector (``detector_sets.py``)."""

    clips: Mapping[str, Mapping[str, tuple[float, float]]] = field(
        default_factory=lambda: {
            "train": {"neg_dam": (0, 99), "neg_flags": (0, 99), "big_buck_bunny": (0, 9.5)},
            "validation": {"neg_medicine": (0, 99), "neg_signer_th": (0, 99), "big_buck_bunny": (10.5, 20)},
        }
    )
    """By part and clip, the seconds without text, as seen by eye."""

    interval_s: float = 0.5
    """Media time between two stills: neighbours differ little."""

    jpeg_quality: int = 92
    """Quality at which stills are stored: no visible loss."""


FONTS = FontThresholds()
GLYPHS = GlyphRecipe()
BACKGROUNDS = BackgroundRecipe()
LINES = LineRecipe()
CODEC = CodecRecipe()
PLATES = PlateRecipe()
SUBTITLES = SubtitleRecipe()
SCENES = SceneRecipe()
DISCS = DiscRecipe()
COMPOSITING = CompositingThresholds()
CROPS = CropRecipe()
REAL_IMAGES = RealImageRecipe()
SPLITS = SplitRules()
FILM = FilmRecipe()
