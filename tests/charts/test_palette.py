"""The palette is told apart by everyone, on light paper, on dark, and in grey print."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mlsysim.charts.theme import DASHES, ON, SHAPES, TEXTS
from mlsysim.palette import MARKED, PALETTE, SERIES

# Machado, Oliveira & Fernandes (2009), doi:10.1109/TVCG.2009.113, severity 1.0, on linear RGB
SEEN_BY = {
    "most people": np.eye(3),
    "protanopes": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopes": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopes": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
    "a grey printer": np.tile([0.2126, 0.7152, 0.0722], (3, 1)),
}  # fmt: skip
# In Lab, 2.3 is just noticeable side by side; lines that are far apart on a page need much more. In
# grey only lightness is left, and there dashes, shapes and direct labels carry as well.
APART = {
    "most people": 20,
    "protanopes": 13,
    "deuteranopes": 13,
    "tritanopes": 11,
    "a grey printer": 5,
}
SCHEMES = ("light", "dark")


def linear(colour):
    held = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(held <= 0.04045, held / 12.92, ((held + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* of linear sRGB under D65."""
    xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    t = xyz @ rgb / np.array([0.95047, 1.0, 1.08883])
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])  # fmt: skip


def contrast(one, other):
    """WCAG 2.2's contrast ratio."""
    light, dark = sorted((linear(c) @ [0.2126, 0.7152, 0.0722] for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_knows_black_and_white_and_a_known_pair():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert lab(linear("#ffffff")) == pytest.approx([100, 0, 0], abs=0.01)
    red, green = (lab(SEEN_BY["deuteranopes"] @ linear(c)) for c in ("#a05000", "#608000"))
    unseen = np.linalg.norm(red - green)
    assert unseen < np.linalg.norm(lab(linear("#a05000")) - lab(linear("#608000"))) / 2


@pytest.mark.parametrize("eye", SEEN_BY)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_series_and_predictions_are_pairwise_distinct(eye, scheme):
    seen = {
        role: lab(np.clip(SEEN_BY[eye] @ linear(getattr(PALETTE[role], scheme)), 0, 1))
        for role in (*SERIES, MARKED)
    }
    for one, other in combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > APART[eye], (one, other)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("ground", ["card", "memory-shade", "compute-shade"])
def test_what_is_written_on_a_chart_can_be_read(scheme, ground):
    for role in ("ink", "muted", MARKED):
        assert contrast(getattr(PALETTE[role], scheme), getattr(PALETTE[ground], scheme)) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_names_in_the_colour_of_their_line_can_be_read_and_lines_be_seen(scheme):
    card = getattr(PALETTE["card"], scheme)
    for text, role in zip(TEXTS, SERIES, strict=True):
        if text == PALETTE[role].both:
            assert contrast(getattr(PALETTE[role], scheme), card) >= 4.5, role
        assert contrast(getattr(PALETTE[role], scheme), card) >= 3, role


@pytest.mark.parametrize("scheme", [0, 1])
def test_words_inside_a_bar_can_be_read(scheme):
    for text, role in zip(ON, SERIES, strict=True):
        ink = text.removeprefix("light-dark(").rstrip(")").split(", ")[scheme]
        assert contrast(ink, PALETTE[role][scheme]) >= 4.5, role


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_two_regimes_differ_in_lightness_too(scheme):
    shades = [getattr(PALETTE[role], scheme) for role in ("memory-shade", "compute-shade")]
    assert contrast(*shades) > 1.08


def test_every_series_has_a_dash_and_a_shape_of_its_own():
    for looks in (DASHES, SHAPES):
        assert len({str(look) for look in looks}) == len(looks) == len(SERIES)
