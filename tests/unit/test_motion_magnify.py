"""Magnification against movements known in closed form, against the whole array at once, and from the command line."""

import tracemalloc

import cv2
import numpy as np
import pytest
from scipy.ndimage import correlate1d
from typer.testing import CliRunner

from mer_lib.cli import app
from mer_lib.ingest.source import open_source
from mer_lib.ingest.writer import write_video
from mer_lib.motion import band
from mer_lib.motion.cuts import cuts
from mer_lib.motion.flow import compute
from mer_lib.motion.gray import to_gray
from mer_lib.motion.magnify import eulerian, gains, lagrangian, magnify
from mer_lib.problems import BadInput

SIZE, FPS = 96, 100.0
Y, X = np.mgrid[:SIZE, :SIZE].astype(float)
ONSET, APEX, OFFSET = 0, 15, 32
BAND = band.choose(FPS, (ONSET, APEX, OFFSET))
METHODS = ("eulerian", "lagrangian")


def texture(y, x, wavelength=12.0, seed=0):
    """Waves of about ``wavelength`` pixels in all directions, as values around 128, at any real position."""
    rng = np.random.default_rng(seed)
    turn, phase = rng.uniform(0, 2 * np.pi, (2, 12))
    k = 2 * np.pi / (wavelength * rng.uniform(0.8, 1.25, 12))
    return 128 + 9 * sum(
        np.cos(a * (np.cos(t) * x + np.sin(t) * y) + p) for a, t, p in zip(k, turn, phase, strict=True)
    )


def pulse(count=OFFSET + 1, apex=APEX):
    """A movement that rises until the apex and is over at the last frame, at most 1."""
    t = np.arange(count)
    return np.where(
        t < apex, 0.5 - 0.5 * np.cos(np.pi * t / apex), 0.5 + 0.5 * np.cos(np.pi * (t - apex) / (count - 1 - apex))
    )


def clip(shifts, noise=0.0, wavelength=12.0):
    """A soft disc of the texture goes to the right by each of the shifts in pixels; its rim, and all else, stays."""
    rng = np.random.default_rng(1)
    bump = np.exp(-((X - SIZE / 2) ** 2 + (Y - SIZE / 2) ** 2) / (2 * 18**2))
    gray = [texture(Y, X - s * bump, wavelength) + noise * rng.normal(size=X.shape) for s in shifts]
    return np.repeat(np.clip(np.rint(gray), 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def moved(frames, at=APEX):
    """Pixels to the right that the middle of the disc has gone from the first frame."""
    first, last = to_gray(frames[[0]]), to_gray(frames[[at]])
    field = compute(first, last, flow="dis", preset="fine")[0]
    return float(field[SIZE // 2 - 4 : SIZE // 2 + 4, SIZE // 2 - 4 : SIZE // 2 + 4, 0].mean())


# ---- the band --------------------------------------------------------------------------------------------------------


def test_the_band_holds_the_expression_and_keeps_out_drift_and_noise():
    """Gains by the filter's own frequency response, taken from its weights."""
    weights = band.kernel(BAND, FPS)

    def gain(hertz):
        return abs(np.exp(-2j * np.pi * hertz / FPS * np.arange(len(weights))) @ weights)

    hertz = np.linspace(0, FPS / 2, 2001)
    response = np.array([gain(f) for f in hertz])
    assert response.max() == pytest.approx(1, abs=1e-3)
    assert BAND[0] < hertz[response.argmax()] < BAND[1]
    assert response[0] < 1e-6 and gain(BAND[0] / 4) < 0.12
    assert gain(BAND[0]) == pytest.approx(1 - 0.5**0.5, abs=0.06) and gain(BAND[1]) == pytest.approx(0.5**0.5, abs=0.06)
    assert gain(3 * BAND[1]) < 0.06


@pytest.mark.parametrize("interval", [(0, 15, 32), (10, 70, 110), (3, 12, 40), None])
def test_an_expression_passes_its_band_nearly_whole(interval):
    onset, apex, offset = interval or (0, 12, 24)
    course = pulse(offset - onset + 1, apex - onset)
    weights = band.kernel(band.choose(FPS, interval), FPS)
    filtered = np.array([v[0] for _, v in band.passed(course[:, None], weights, np.asarray)])
    assert 0.8 < filtered[apex - onset] - filtered[0] < 1.05


def test_frame_rate_bounds_the_band():
    assert band.choose(25.0) == (0.5, 12.5)
    assert band.choose(200.0) == (0.5, 25.0)
    assert band.choose(200.0, (0, 20, 60)) == pytest.approx((200 / 240, 10.0))


@pytest.mark.parametrize("length", [1, 2, 7, 200])
def test_filtering_along_the_way_is_filtering_the_whole(length):
    values = np.random.default_rng(length).normal(size=(length, 3, 4)).astype(np.float32)
    weights = band.kernel((2.0, 20.0), FPS)
    whole = correlate1d(values.astype(float), weights, axis=0, mode="nearest")
    along = list(band.passed(range(length), weights, lambda at: values[at]))
    assert [at for at, _ in along] == list(range(length))
    np.testing.assert_allclose([value for _, value in along], whole, atol=2e-5)


# ---- magnification ---------------------------------------------------------------------------------------------------


def test_eulerian_of_a_stream_is_the_pyramid_of_the_whole_array():
    """The same with each level of each frame's pyramid filtered over the whole clip, as Wu et al. describe it."""
    frames = clip(0.2 * pulse(), noise=1.0)
    factor, reach = 6.0, 0.2
    weights = band.kernel(BAND, FPS)
    luma = frames.astype(np.float32) @ np.float32([0.299, 0.587, 0.114])
    pyramids = []
    for picture in luma:
        gaussian = [picture]
        while min(gaussian[-1].shape) >= 16:
            gaussian.append(cv2.pyrDown(gaussian[-1]))
        below = gaussian[1:]
        pyramids.append([g - cv2.pyrUp(b, dstsize=g.shape[::-1]) for g, b in zip(gaussian, below, strict=False)])
    change = np.zeros_like(luma)
    for level, alpha in enumerate(gains(len(pyramids[0]), factor, reach)):
        filtered = correlate1d(np.stack([p[level] for p in pyramids]), weights, axis=0, mode="nearest")
        for t, picture in enumerate(alpha * filtered):
            for up in range(level - 1, -1, -1):
                picture = cv2.pyrUp(picture, dstsize=pyramids[0][up].shape[::-1])
            change[t] += picture
    expected = np.clip(frames + change[..., None], 0, 255)
    made = np.stack(list(eulerian(iter(frames), factor=factor, band=BAND, fps=FPS, reach=reach)))
    assert np.abs(made - expected).max() <= 0.51  # half a grey level of rounding


def test_the_bound_holds_on_every_level():
    reach, factor = 0.4, 8.0
    alpha = gains(6, factor, reach)
    wavelength = 5.4 * 2.0 ** np.arange(6)
    bounded = alpha > 0
    assert ((1 + alpha[bounded]) * reach <= wavelength[bounded] / 8 + 1e-9).all()
    assert (np.diff(alpha) >= 0).all() and alpha[-1] == factor - 1 and alpha[0] < factor - 1


@pytest.mark.parametrize(("method", "factor", "shift"), [
    ("eulerian", 3, 0.2), ("eulerian", 6, 0.1), ("lagrangian", 3, 0.5), ("lagrangian", 8, 0.3),
])  # fmt: skip
def test_movement_grows_by_the_factor(method, factor, shift):
    frames = clip(shift * pulse(), wavelength=24)
    options = {"reach": 0.02} if method == "eulerian" else {"preset": "fine"}
    larger = moved(magnify(frames, method, factor=factor, band=BAND, fps=FPS, **options))
    assert 0.75 * factor < larger / moved(frames) < 1.15 * factor


def test_within_the_bound_the_picture_is_the_one_moved_farther():
    """Against the texture drawn at its magnified place: the linear step is good, and beyond the bound it is not."""
    small, factor, wavelength = 0.15, 5.0, 40.0

    def error(shift):
        made = magnify(
            clip(shift * pulse(), wavelength=wavelength), "eulerian", factor=factor, band=BAND, fps=FPS, reach=0.01
        )
        grown = moved(made) / shift  # what the filter lets through
        ideal = clip([grown * shift], wavelength=wavelength)[0]
        return np.abs(made[APEX].astype(float) - ideal).mean() / np.abs(clip([0])[0].astype(float) - ideal).mean()

    assert factor * small < wavelength / 8 < factor * 3
    assert error(small) < 0.15 and error(3.0) > 2 * error(small)


def test_nothing_moves_before_the_onset():
    """A filter that rings, or looks back only, would move the face early or late."""
    shifts = np.concatenate([np.zeros(60), 0.4 * pulse(), np.zeros(60)])
    made = magnify(clip(shifts, wavelength=24), "lagrangian", factor=5, band=BAND, fps=FPS, preset="fine")
    course = np.array([moved(made, at) for at in range(40, 120, 2)])
    assert 40 + 2 * course.argmax() == pytest.approx(60 + APEX, abs=2)
    assert np.abs(course[:5]).max() < 0.25 * course.max()


@pytest.mark.parametrize("method", METHODS)
def test_slow_drift_is_left_as_it_is(method):
    drift = np.linspace(0, 0.6, 240)
    made = magnify(clip(drift, wavelength=24), method, factor=8, band=(2.0, 20.0), fps=FPS)
    assert moved(made, 120) == pytest.approx(moved(clip(drift, wavelength=24), 120), abs=0.15)


@pytest.mark.parametrize("method", METHODS)
def test_a_factor_of_one_and_a_clip_that_stands_still_change_nothing(method):
    frames = clip(0.5 * pulse(), noise=2.0)
    assert np.abs(magnify(frames, method, factor=1, band=BAND, fps=FPS).astype(int) - frames).max() <= 1
    still = np.repeat(frames[:1], 5, axis=0)
    np.testing.assert_array_equal(magnify(still, method, factor=10, band=BAND, fps=FPS), still)


def test_light_that_flickers_evenly_is_not_amplified():
    frames = clip(np.zeros(40))
    flicker = np.rint(frames + 6 * np.sin(2 * np.pi * 8 * np.arange(40) / FPS)[:, None, None, None]).astype(np.uint8)
    made = magnify(flicker, "eulerian", factor=10, band=BAND, fps=FPS, reach=0.05)
    before, after = (np.ptp(c.mean(axis=(1, 2, 3))) for c in (flicker, made))
    assert after < 1.1 * before


@pytest.mark.parametrize("method", METHODS)
def test_memory_is_that_of_the_window_however_long_the_video(method):
    weights = len(band.kernel((5.0, 20.0), FPS))
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)

    def peak(length):
        run = {"eulerian": eulerian, "lagrangian": lagrangian}[method]
        tracemalloc.start()
        count = sum(
            1 for _ in run((np.roll(picture, t % 3, 1) for t in range(length)), factor=3, band=(5.0, 20.0), fps=FPS)
        )
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == length
        return used

    assert peak(10 * weights) < 1.1 * peak(2 * weights)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"factor": 0.5}, "factor of 1"),
        ({"factor": float("nan")}, "factor of 1"),
        ({"band": (0.0, 10.0)}, "low must be above 0"),
        ({"band": (10.0, 5.0)}, "below high"),
        ({"band": (1e-4, 5.0)}, "raise the low end"),
        ({"band": (1.0, 51.0)}, "half the frame rate"),
        ({"method": "phase"}, "eulerian, lagrangian"),
        ({"reach": 0.0}, "reach above 0"),
        ({"frames": np.zeros((3, 32, 32), np.uint8)}, "8-bit RGB"),
        ({"frames": np.zeros((3, 32, 32, 3), np.float32)}, "8-bit RGB"),
        ({"frames": [np.zeros((32, 32, 3), np.uint8), np.zeros((32, 40, 3), np.uint8)]}, "one size"),
        ({"frames": np.zeros((3, 40, 1, 3), np.uint8)}, "frames of 1×40 pixels; at least 16"),
        (
            {"frames": np.zeros((3, 720, 1280, 3), np.uint8), "band": (0.02, 1.0)},
            "crop them to the face, or raise the low end",
        ),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_magnified_is_refused(method, change, says):
    given = {"frames": clip([0, 1]), "method": method, "factor": 2.0, "band": BAND, "fps": FPS} | change
    if "reach" in change:
        given["method"] = "eulerian"
    with pytest.raises(BadInput, match=says):
        magnify(given.pop("frames"), given.pop("method"), **given)


def test_an_interval_out_of_order_has_no_band():
    with pytest.raises(BadInput, match="follow each other"):
        band.choose(FPS, (5, 5, 9))


# ---- the command -----------------------------------------------------------------------------------------------------


def mer(*words):
    return CliRunner().invoke(app, ["magnify", *(str(word) for word in words)])


@pytest.mark.parametrize("method", METHODS)
def test_the_command_writes_what_the_library_makes(tmp_path, method):
    frames = clip(0.3 * pulse(), noise=1.0)
    write_video(tmp_path / "given.avi", frames, FPS)
    told = mer(tmp_path / "given.avi", tmp_path / "out/large.avi", "--factor", 4, "--method", method,
               "--interval", ONSET, APEX, OFFSET)  # fmt: skip
    assert told.exit_code == 0 and "33 frames, 0.78 to 6.67 Hz, 30 a second, 3.33 times slower" in told.stdout
    options = {} if method == "eulerian" else {"preset": "fine"}
    written = np.stack(list(open_source(tmp_path / "out/large.avi", "video").frames()))
    np.testing.assert_array_equal(written, magnify(frames, method, factor=4, band=BAND, fps=FPS, **options))


def test_a_folder_needs_a_rate(tmp_path):
    for at, frame in enumerate(clip([0, 0.5, 0])):
        (tmp_path / f"img{at}.png").write_bytes(cv2.imencode(".png", frame)[1].tobytes())
    told = mer(tmp_path, tmp_path / "large.avi")
    assert told.exit_code == 2 and "name it with --fps" in told.stderr and not (tmp_path / "large.avi").exists()
    assert mer(tmp_path, tmp_path / "large.avi", "--fps", 100).exit_code == 0


def test_the_command_refuses_in_one_line(tmp_path):
    write_video(tmp_path / "given.avi", clip([0, 1]), FPS)
    for words, says in (
        ((tmp_path / "large.mp4",), "no .avi"),
        ((tmp_path / "given.avi",), "over itself"),
        ((tmp_path / "large.avi", "--method", "eulerean"), "did you mean 'eulerian'?"),
        ((tmp_path / "large.avi", "--band", 1, 80), "half the frame rate"),
        ((tmp_path / "large.avi", "--fps", 0), "without a rate"),
        ((tmp_path / "large.avi", "--interval", 0, 9, 900_000), "name a shorter interval"),
    ):
        told = mer(tmp_path / "given.avi", *words)
        assert told.exit_code == 2 and says in told.stderr and told.stderr.count("\n") == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_command_says_where_another_scene_begins(tmp_path, caplog, method):
    frames = clip(pulse(), noise=1.0)
    frames[20:] = other(len(frames) - 20)
    write_video(tmp_path / "two.avi", frames, FPS)
    assert mer(tmp_path / "two.avi", tmp_path / "large.avi", "--method", method).exit_code == 0
    assert caplog.messages == [
        f"{tmp_path}/two.avi: another scene begins at frame 20 from the first; "
        "cut the clip there: flow across a cut means nothing"
    ]


# ---- cuts ------------------------------------------------------------------------------------------------------------


def other(count):
    return np.repeat(np.rint(texture(X * 1.3, Y, 20, seed=7))[..., None], 3, -1).astype(np.uint8)[None].repeat(count, 0)


@pytest.mark.parametrize("at", [1, 5, 17, 32])
def test_a_cut_is_found_where_it_is(at):
    frames = clip(3 * pulse(), noise=2.0)
    frames[at:] = other(len(frames) - at)
    assert list(cuts(frames)) == [at] and list(cuts(to_gray(frames))) == [at]


def test_a_foreign_frame_is_two_cuts():
    frames = clip(3 * pulse(), noise=2.0)
    frames[10] = 0
    assert list(cuts(frames)) == [10, 11]


def test_what_is_no_cut():
    noisy = clip(np.zeros(30), noise=8.0)
    blink = clip(np.zeros(30))
    blink[12:15, 30:45, 15:80] = 20  # eyes shut from one frame to the next
    turn = np.stack([np.roll(clip([0])[0], 4 * min(max(t - 10, 0), 9), axis=1) for t in range(30)])
    lamp = clip(np.zeros(30), noise=1.0)
    lamp[13:] = lamp[13:] * 0.7 + 10
    for name, frames in {"noise": noisy, "blink": blink, "turn": turn, "lamp": lamp}.items():
        assert not len(cuts(frames)), name
    assert not len(cuts(clip([0])))


def test_the_cuts_of_a_real_video(shared):
    """A face, one black frame, the sky."""
    frames = list(open_source(shared / "data/video/single_face.mp4", "video").frames())
    assert not len(cuts(np.stack(frames)))
    frames = list(open_source(shared / "data/video/face_noface.mov", "video").frames())
    assert list(cuts(np.stack(frames))) == [72, 73]
