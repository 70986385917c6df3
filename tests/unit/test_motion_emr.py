"""Expression magnification and reduction: which frame a macro-expression is cut to, how far a micro-expression goes."""

import numpy as np
import pytest

from mer_lib.motion.emr import emr
from mer_lib.motion.pairs import measured, motion_of
from mer_lib.problems import BadInput

SIZE, FPS = 64, 100.0
Y, X = np.mgrid[:SIZE, :SIZE].astype(np.float32)


def clip(course):
    """Smooth stripes that shift to the right by ``course`` pixels, frame by frame: (T, S, S, 3) uint8."""
    waves = [
        np.sin(2 * np.pi * (X - shift) / 24) + np.cos(2 * np.pi * (Y + 0.5 * (X - shift)) / 29) for shift in course
    ]
    return np.rint(127 + 50 * np.stack(waves)[..., None].repeat(3, axis=-1)).astype(np.uint8)


def rise_and_fall(strength, apex=20, frames=41):
    return strength * np.sin(np.pi * np.arange(frames) / (2 * apex)) ** 2


def moved(frames, apex):
    """Pixels to the right in the middle of the picture."""
    return float(np.median(motion_of(frames, apex, flow="tvl1")["flow"][0, 16:-16, 16:-16, 0]))


@pytest.mark.parametrize(("apex", "half"), [(1, 1), (2, 1), (10, 5), (30, 15)])
def test_a_macro_expression_is_cut_half_way_to_its_apex(apex, half):
    frames = clip(np.zeros(41))
    kept, at = emr(frames, apex, macro=True, fps=FPS, factor=4.0)
    assert kept is frames and at == half


def test_a_micro_expression_moves_several_times_as_far_and_a_macro_one_less():
    small, large = clip(rise_and_fall(0.25)), clip(rise_and_fall(3.0))
    magnified, at = emr(small, 20, macro=False, fps=FPS, factor=4.0)
    assert at == 20 and magnified.shape == small.shape and magnified.dtype == np.uint8
    before, after = moved(small, 20), moved(magnified, at)
    assert before == pytest.approx(0.25, abs=0.06)
    assert 0.5 <= after <= 1.1  # the filter keeps at least half of four times as much
    kept, half = emr(large, 20, macro=True, fps=FPS, factor=4.0)
    assert moved(kept, half) == pytest.approx(1.5, abs=0.1)  # sin² of 45°: half
    assert moved(kept, half) / after < 0.5 * moved(large, 20) / before  # the two have come closer


def test_an_apex_at_the_end_is_magnified_in_the_band_of_any_micro_expression():
    frames = clip(rise_and_fall(0.25)[:21])
    magnified, at = emr(frames, 20, macro=False, fps=FPS, factor=4.0)
    assert at == 20 and moved(magnified, 20) > 1.5 * moved(frames, 20)


def test_bad_input_is_refused():
    frames = clip(np.zeros(5))
    for apex in (0, 5):
        with pytest.raises(BadInput, match=f"the apex is frame {apex} of 5"):
            emr(frames, apex, macro=True, fps=FPS, factor=4.0)
    with pytest.raises(BadInput, match="no frame rate"):
        emr(frames, 2, macro=False, fps=float("nan"), factor=4.0)
    with pytest.raises(BadInput, match="no frame rate"):
        emr(frames, 2, macro=False, fps=None, factor=4.0)  # as a shard's rows have it where no clip has one


def test_the_stage_measures_between_the_pairs_that_its_options_name():
    frames = clip(rise_and_fall(1.0))
    options = {"flow": "dis", "options": {}, "factor": 4.0}
    plain = measured(frames, 20, {**options, "pairs": "onset_apex"}, fps=FPS)
    assert plain["pair"].tolist() == [[0, 20]]
    np.testing.assert_array_equal(plain["flow"], motion_of(frames, 20, flow="dis")["flow"])
    macro = measured(frames, 20, {**options, "pairs": "emr"}, fps=FPS, macro=True)
    assert macro["pair"].tolist() == [[0, 10]]
    micro = measured(frames, 20, {**options, "pairs": "emr"}, fps=FPS)
    magnified = emr(frames, 20, macro=False, fps=FPS, factor=4.0)[0]
    np.testing.assert_array_equal(micro["flow"], motion_of(magnified, 20, flow="dis")["flow"])
    assert len(measured(frames, None, {**options, "pairs": "frames"}, fps=FPS)["pair"]) == 40
    for pairs in ("onset_apex", "emr"):
        with pytest.raises(BadInput, match="no apex in the sheet"):
            measured(frames, None, {**options, "pairs": pairs}, fps=FPS)
