"""Tuning values of the tracker, one frozen dataclass per concern.

Units that recur:

* patch pixels: pixels of the rectified patch of a text, whose line is ``TEMPLATE.patch_height_px`` pixels high;
* heights: multiples of the height of a text box, or of a ticker window;
* score: normalised cross-correlation, -1 to 1;
* gain: contrast relative to the template, 1 = the same;
* residual: share of the stroke energy that differs, 0 to 1 (``template_matching.block_residuals``).

Unless a field says otherwise its value was chosen by hand and checked on the generated scenario suite
(``tests/scenarios``). Decision records are in ``docs/decisions``.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TemplateThresholds:
    """Patches: texts rectified to one height, and their comparison (``template_matching.py``)."""

    patch_height_px: int = 24
    """Height of a text line in a patch. Enough to tell an 8 from a 9, cheap enough for every frame."""

    patch_margin_px: int = 2
    """Pixels round the line on every side of a patch."""

    max_patch_width_px: int = 480
    """Length of a line in a patch; longer lines are compressed."""

    block_width_px: int = 10
    """Columns of a patch that are compared together: about one character."""

    min_crop_width_px: int = 8
    """Width of the narrowest crop that is cut for the recogniser."""

    short_aspect: float = 4.0
    """Width relative to the height up to which a box may hold two lines; their crop has twice the height."""

    ink_start: float = 0.5
    """Strength, relative to the strongest strokes, up to which a pixel is no ink (decision 0017)."""

    ink_full: float = 0.7
    """Strength, relative to the strongest strokes, from which a pixel is entirely ink (decision 0017)."""

    stroke_percent: float = 3.0
    """Share of the pixels of a patch that certainly belong to strokes, in per cent."""

    min_gain: float = 0.3
    """Lowest gain that is compensated before two patches are subtracted."""

    max_gain: float = 3.0
    """Highest gain that is compensated before two patches are subtracted."""

    min_energy_share: float = 0.5
    """Lowest energy of a block, relative to the mean of all blocks: gaps between words must not count as changes."""


@dataclass(frozen=True, slots=True)
class AppearanceThresholds:
    """Appearance model of one text (``appearance_model.py``)."""

    base_tolerance: float = 4.0
    """Grey levels by which a pixel may always differ from the template."""

    noise_factor: float = 2.5
    """Multiples of the learnt noise by which a pixel may differ in addition."""

    initial_noise: float = 4.0
    """Noise of every pixel before anything was learnt, in grey levels."""

    max_calm_noise: float = 6.0
    """Mean noise up to which the background counts as calm, in grey levels."""

    changed_residual: float = 0.04
    """Residual above which the patch looks different: "5" that becomes "6" gives 0.07, film behind letters 0.02."""

    step_residual: float = 0.03
    """Residual against the previous frame below which a change is never sudden."""

    sudden_share: float = 0.6
    """Share of the residual that came with the last frame, above which a change is sudden."""

    min_ink_change: float = 1.5
    """Ink in patch pixels that comes or goes when letters change. 99.5 % of 11,000 pairs have 1.9 (decision 0017)."""

    change_window_s: float = 0.98
    """Age in seconds up to which the patches of a running change are kept to date it: 25 frames at 25 fps."""

    template_weight: float = 0.1
    """Weight of a matched frame in the running average of the patch. Tried as a time constant of 0.38 s, which is the
    same at 25 fps: two clips of 30 fps got a false ``changed`` and a start that was 300 ms late."""

    noise_weight: float = 0.15
    """Weight of a matched frame in the running average of the noise. Per frame for the same reason."""

    gain_share: float = 0.5
    """Share of a gain above 1 by which the template grows stronger: a text that fades in is kept at its strongest."""

    @property
    def initial_tolerance(self) -> float:
        """Grey levels by which a pixel may differ before anything was learnt."""
        return self.base_tolerance + self.noise_factor * self.initial_noise


@dataclass(frozen=True, slots=True)
class TrackThresholds:
    """Visibility and position of one track (``track.py``)."""

    keep_score: float = 0.45
    """Score from which a visible text stays visible."""

    regain_score: float = 0.6
    """Score from which a lost text is visible again."""

    min_gain: float = 0.5
    """Gain below which a text has faded."""

    static_difference: int = 8
    """Grey levels by which no pixel differs when the image only flickers."""

    unconfirmed_context: float = 0.7
    """Heights round an unconfirmed text that are compared as well, because it may still be growing."""

    min_brief_s: float = 0.06
    """Time in seconds for which a candidate that is gone before its confirmation must have stood still to be read."""

    min_frame_s: float = 0.2
    """Seconds below which one frame proves no rest, unless all round it rests. Chosen on a real pan at 12.5 fps."""

    surroundings: tuple[float, float] = (0.4, 1.2)
    """Distance above and below a text, from and to, in heights, of what counts as its surroundings."""


@dataclass(frozen=True, slots=True)
class ConfirmationThresholds:
    """Confirmation of a candidate (``confirmation.py``)."""

    min_detections: int = 2
    """Detections at the same length that confirm a track (decision 0008)."""

    min_detection_gap_s: float = 0.15
    """Time in seconds between two detections that count."""

    min_detections_growing: int = 3
    """Detections that confirm a track that has been growing, which may pause for one detection (decision 0008)."""

    max_unrest_factor: float = 5.0
    """Multiples of the minimum age after which a track is confirmed although something moves beside it."""

    settled_gain: float = 1.04
    """Gain above which a text is still fading in. A fade of two seconds gains 5 % a frame at first (25 fps)."""

    growing_rest: float = 2.0
    """Multiples of the minimum age for which a text that has been growing must stand still to be confirmed."""


@dataclass(frozen=True, slots=True)
class PresenceThresholds:
    """Text at the edge of the frame (``presence.py``)."""

    max_overhang: float = 0.15
    """Heights by which a box is larger than its letters; a text that leaves the frame by more is cut."""

    min_motion: float = 0.15
    """Heights by which a text must have moved across the edge to be coming in."""

    max_rest_distance: float = 0.05
    """Heights by which the place of a text at rest varies."""

    entering_s: float = 2.0
    """Time in seconds for which a text that moves at the edge of the frame may still be coming in."""


@dataclass(frozen=True, slots=True)
class BoxUpdateThresholds:
    """Hysteresis of boxes that grow, shrink or shift between detections (``box_updates.py``; decisions 0008, 0017)."""

    length_change: float = 0.15
    """Share of the length by which a box must differ to show more or less of the text."""

    letter_height: float = 0.3
    """Heights that are a letter when two detections in a row show the box longer by them."""

    min_shorter_detections: int = 3
    """Detections in a row that must show a box shorter before it is."""

    max_jitter: float = 0.1
    """Heights by which the boxes of a detector jitter round a text at rest."""

    return_delay_s: float = 0.1
    """A resize that began up to this many seconds after the text was lost and found belongs to another text."""


@dataclass(frozen=True, slots=True)
class FrameHistoryThresholds:
    """Backward search for the first appearance of a text (``frame_history.py``)."""

    length_s: float = 1.5
    """Seconds of video that are kept."""

    max_height: int = 720
    """Larger frames are kept at a whole fraction of their size that is at most this many pixels high."""

    min_score: float = 0.5
    """Score below which a frame does not show the text."""

    min_gain: float = 0.5
    """Gain below which a frame does not show the text."""

    max_residual: float = 0.5
    """Residual of a block above which a frame does not show the text."""

    min_far_score: float = 0.7
    """Score below which a frame does not show the text at another place than predicted."""

    max_rest_shift: float = 2.0
    """Distance from the predicted place up to which the text is still there, in patch pixels."""

    unknown_reach: int = 20
    """Radius of the search in the first frame, in patch pixels, while the velocity is unknown."""

    known_reach: int = 6
    """Radius of the search in further frames, in patch pixels."""


@dataclass(frozen=True, slots=True)
class MotionThresholds:
    """Search for a text in the next frame (``motion.py``)."""

    near_reach: int = 2
    """Radius of the search round the predicted position, in patch pixels."""

    far_reach: int = 7
    """Radius of the second search for a confirmed track, in patch pixels."""

    far_reach_unconfirmed: int = 20
    """Radius of the second search for a track whose velocity is not known yet, in patch pixels."""

    far_search_score: float = 0.8
    """Score of the first search below which the second one is made."""

    far_search_advantage: float = 0.05
    """Score by which the second search must be better."""

    far_min_score: float = 0.7
    """Score that the second search needs: parts of other words match somewhere with up to 0.6."""

    rest_score_share: float = 0.95
    """Share of the best score at which a text stays where it is, so that a background that pans does not move it."""

    rest_speed: float = 12.5
    """Speed below which a text may rest, in patch pixels per second: half a pixel per frame at 25 fps."""

    stopped_s: float = 0.06
    """Seconds without a change after which a text has stopped; films in which every second frame is a copy move on."""

    max_rest_drift: float = 0.02
    """Heights by which a text at rest moves at most. Chosen on titles that fly in and out, in a real clip."""

    min_rest_s: float = 0.02
    """Seconds after which a text that has not moved is at rest."""

    min_fast_speed: float = 10.0
    """Speed, in heights per second, from which motion blurs a text. Chosen on a number plate in a real street."""


@dataclass(frozen=True, slots=True)
class AssociationThresholds:
    """Comparison of text lines (``association.py``)."""

    max_distance: float = 0.4
    """Distance across the line at which the affinity of two boxes is 0, relative to the sum of their heights."""

    max_part_distance: float = 0.6
    """Distance across the line up to which one box may be part of another, relative to the larger height."""

    min_height_ratio: float = 0.5
    """A line cannot contain a box that is higher than the line divided by this ratio."""

    thin_part_ratio: float = 0.5
    """A box below this share of the height of the line is thin: it may belong to one of two lines boxed as one."""

    max_thin_distance: float = 0.2
    """Distance across the line up to which a thin box is part of it, in heights of the line."""

    min_thin_ratio: float = 0.35
    """Share of the height of the line that a thin box must have to be part of it."""

    max_word_gap: float = 0.6
    """Widest gap between the words of a line that the detector has cut, in heights of the line."""

    min_joined_affinity: float = 0.6
    """Affinity of a line and its words together from which these are the same line in other boxes."""


@dataclass(frozen=True, slots=True)
class TrackerThresholds:
    """Births, merges and replacements of tracks (``tracker.py``)."""

    min_affinity: float = 0.3
    """Line affinity from which a box continues a track."""

    min_coverage: float = 0.7
    """Share of a box on the line of another from which it is part of it."""

    max_height_ratio: float = 1.8
    """A box that is higher than a track by this ratio is not a longer piece of its line."""

    max_merge_age_s: float = 1.5
    """Age in seconds of the youngest of several texts up to which one detection merges them. Tuned on real clips."""

    birth_search_s: float = 0.15
    """Seconds of video that are searched for the velocity of a new track."""

    max_replacement_gap_s: float = 0.06
    """Time in seconds between the end of one text and the start of the one that replaces it: 1.5 frames at 25 fps."""


@dataclass(frozen=True, slots=True)
class OverlayThresholds:
    """Detection of persistent graphics such as logos and clocks (``overlay.py``)."""

    same_scene_score: float = 0.6
    """Correlation of two thumbnails up to which they show different scenes."""

    min_contrast: float = 1.0
    """Standard deviation in grey levels below which a thumbnail is blank and no scene."""

    min_age_s: float = 10.0
    """Seconds for which an overlay has kept its place; subtitles stay for less."""

    min_scenes: int = 2
    """Scene changes that an overlay has outlived."""

    max_shift: float = 0.5
    """Distance from its first place up to which a text keeps its place, in heights."""


TEMPLATE = TemplateThresholds()
APPEARANCE = AppearanceThresholds()
TRACK = TrackThresholds()
CONFIRMATION = ConfirmationThresholds()
PRESENCE = PresenceThresholds()
BOX_UPDATE = BoxUpdateThresholds()
FRAME_HISTORY = FrameHistoryThresholds()
MOTION = MotionThresholds()
ASSOCIATION = AssociationThresholds()
TRACKER = TrackerThresholds()
OVERLAY = OverlayThresholds()
