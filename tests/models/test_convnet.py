"""Convolutional networks: shapes, parameters and work of each kind of layer, by hand."""

from __future__ import annotations

import pytest

from mlsysim import Models
from mlsysim.core.errors import BadArgument, InvalidEntry, UnknownName
from mlsysim.models.widths import Widths

equal = Widths.equal


def net(*layers, height=8, width=8, channels=3, **keys):
    """Build a network of these layers on a small image."""
    return Models.from_spec(
        {
            "kind": "convnet",
            "name": "Net",
            "parameters": 1,
            "batchnorm": False,
            "input": {"height": height, "width": width, "channels": channels},
            "layers": list(layers),
            **keys,
        }
    )


def sums(model):
    """(parameters, MACs, values in the last map)."""
    return model.counted_parameters(), model.counted_macs(), model.parts[-1].outputs


CASES = {
    # 3x3x3 x 16 weights and a shift each; 8 x 8 positions
    "a convolution keeps the size": (
        {"conv": {"out": 16}},
        3 * 3 * 3 * 16 + 16,
        64 * 27 * 16,
        64 * 16,
    ),
    "a stride halves it": ({"conv": {"out": 16, "stride": 2}}, 27 * 16 + 16, 16 * 27 * 16, 16 * 16),
    "explicit padding": (
        {"conv": {"out": 4, "kernel": 5, "padding": 1}},
        75 * 4 + 4,
        36 * 75 * 4,
        36 * 4,
    ),
    "no padding": ({"conv": {"out": 4, "padding": 0}}, 27 * 4 + 4, 36 * 27 * 4, 36 * 4),
    "an oblong kernel": ({"conv": {"out": 4, "kernel": [1, 5]}}, 15 * 4 + 4, 64 * 15 * 4, 64 * 4),
    "groups share the channels": (
        {"conv": {"out": 6, "groups": 3}},
        9 * 3 * 6 / 3 + 6,
        64 * 9 * 6,
        64 * 6,
    ),
    "depthwise": ({"depthwise": {}}, 9 * 3 + 3, 64 * 9 * 3, 64 * 3),
    "separable": ({"separable": {"out": 5}}, (27 + 3) + (15 + 5), 64 * 27 + 64 * 15, 64 * 5),
    "dense": ({"dense": {"out": 10}}, 192 * 10 + 10, 192 * 10, 10),
    "a pool has no weights": ("avgpool", 0, 0, 3),
    "max pooling": ({"maxpool": {"kernel": 2, "stride": 2}}, 0, 0, 16 * 3),
    # two 3x3 convolutions and a 1x1 projection, at 4 x 4
    "a basic block": (
        {"basic": {"out": 6, "stride": 2}},
        (162 + 6) + (324 + 6) + (18 + 6),
        16 * (162 + 324 + 18),
        16 * 6,
    ),
    "a basic block of equal shape": ({"basic": {"out": 3}}, 2 * (81 + 3), 64 * 162, 64 * 3),
    # 1x1 to 2, 3x3, 1x1 to 8, and the projection 3 -> 8
    "a bottleneck": (
        {"bottleneck": {"mid": 2, "out": 8}},
        8 + 38 + 24 + 32,
        64 * (6 + 36 + 16 + 24),
        64 * 8,
    ),
    # the 3x3 reads half of its two channels for each that it writes
    "a bottleneck in groups": (
        {"bottleneck": {"mid": 2, "out": 8, "groups": 2}},
        8 + 20 + 24 + 32,
        64 * (6 + 18 + 16 + 24),
        64 * 8,
    ),
    # and 8 -> 2 -> 8 on the means of the channels, with shifts
    "a squeezed bottleneck": (
        {"bottleneck": {"mid": 2, "out": 8, "squeeze": 2}},
        8 + 38 + 24 + 32 + (16 + 2) + (16 + 8),
        64 * (6 + 36 + 16 + 24) + 16 + 16,
        64 * 8,
    ),
    # 3 -> 6, depthwise, 6 -> 3, joined with its input
    "an inverted residual": (
        {"inverted": {"out": 3, "expand": 2}},
        24 + 60 + 21,
        64 * (18 + 54 + 18),
        64 * 3,
    ),
    # squeezed where it is wide: 6 -> 4 -> 6
    "a squeezed inverted residual": (
        {"inverted": {"out": 3, "expand": 2, "squeeze": 4}},
        24 + 60 + 21 + (24 + 4) + (24 + 6),
        64 * (18 + 54 + 18) + 24 + 24,
        64 * 3,
    ),
    "a norm": ("norm", 3 + 3, 0, 64 * 3),
    # norm, 1x1 to 4, 3x3 to the 2 that join the 3; the second has no norm behind it
    "a layer of a dense block": (
        {"concat": {"mid": 4, "out": 2}},
        6 + (12 + 4) + 72,
        64 * (12 + 72),
        64 * 2,
    ),
    "a transition between dense blocks": ({"transition": {"out": 2}}, 6 + 6, 64 * 6, 16 * 2),
    # 7x7 depthwise with shift and norm, 3 -> 12 with a shift, 12 -> 3 with shift and scale
    "a ConvNeXt block": (
        "convnext",
        (147 + 3 + 6) + (36 + 12) + (36 + 3 + 3),
        64 * (147 + 36 + 36),
        64 * 3,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_layer_has_the_shape_weights_and_work_of_a_hand_count(case):
    layer, *expected = CASES[case]
    assert sums(net(layer)) == tuple(map(float, expected))


def test_a_dense_block_widens_what_its_next_layer_reads():
    # 3 channels, then 5: norms of 3 and 5, 1x1 to 4, 3x3 from 4 to 2
    model = net({"concat": {"mid": 4, "out": 2, "repeat": 2}})
    assert model.counted_parameters() == (6 + 12 + 4 + 72) + (10 + 20 + 4 + 72)


def test_batch_normalisation_learns_a_scale_and_a_shift():
    assert net({"conv": {"out": 16}}, batchnorm=True).counted_parameters() == 27 * 16 + 2 * 16


def test_only_the_first_of_repeated_layers_shrinks_the_image():
    model = net({"conv": {"out": 3, "stride": 2, "repeat": 3}})
    assert model.counted_macs() == 3 * (16 * 27 * 3)


def test_keyword_spotting_adds_up_by_hand():
    # 25 x 5 positions: 10 x 4 taps to 64 channels; four times 3 x 3 depthwise and 64 x 64; 64 to
    # 12 classes
    by_hand = 125 * 40 * 64 + 4 * 125 * (9 * 64 + 64 * 64) + 64 * 12
    assert Models.Tiny.KeywordSpotting.counted_macs() == by_hand == 2_656_768


@pytest.mark.parametrize(
    ("layers", "key"),
    [
        ([], "layers"),
        (["conv"], "layers.conv.out"),
        ([{"convolution": {"out": 3}}], "layers"),
        ([{"conv": {"out": 3, "kernal": 3}}], "layers"),
        ([{"conv": {"out": 0}}], "layers"),
        ([{"conv": {"out": 3, "kernel": []}}], "layers"),
        ([{"conv": {"out": 3, "kernel": [1, 2, 3]}}], "layers"),
        ([{"conv": {"out": 3, "stride": 0}}], "layers"),
        ([{"conv": {"out": 3, "padding": "valid"}}], "layers"),
        ([{"conv": {"out": 3, "repeat": 1001}}], "layers"),  # a thousand at most
        ([{"conv": {"out": 4, "groups": 2}}], "layers"),  # three channels do not split in two
        ([{"bottleneck": {"out": 3}}], "layers.bottleneck.mid"),
        ([3], "layers"),
        ("conv", "layers"),
        ([{"conv": {"out": 3, "kernel": 9, "padding": 0}}], "layers"),  # nothing is left of 8 x 8
        ([{"conv": {"out": 3, "kernel": 20, "padding": 0}}], "layers"),
    ],
    ids=str,
)
def test_a_network_that_cannot_be_is_refused_and_the_layer_named(layers, key):
    with pytest.raises(InvalidEntry) as caught:
        net() if layers == [] else Models.from_spec({**net("avgpool").to_dict(), "layers": layers})
    assert caught.value.key.startswith(key)


def test_a_convnet_has_no_sequence_and_no_decode_phase():
    resnet = Models.Vision.ResNet50
    with pytest.raises(BadArgument, match=r"seq_len.*has no sequence"):
        resnet.step(1.0, 128.0, None, equal(2.0))
    with pytest.raises(UnknownName, match="phase"):
        resnet.step(1.0, None, "decode", equal(2.0))


def test_a_bias_is_one_parameter_more_for_each_channel_beside_batch_norm():
    """3x3 over 3 to 16 channels: 432 weights, a scale and a shift each, and a bias each."""
    plain, biased = (
        net({"conv": {"out": 16, "bias": bias}}, batchnorm=True).counted_parameters()
        for bias in (False, True)
    )
    assert (plain, biased) == (432 + 2 * 16, 432 + 3 * 16)


ASKED = "it is required; add it"
TWO = "give one number, or two: height and width"


@pytest.mark.parametrize(
    ("layer", "key", "remedy"),
    [
        ({"conv": {"kernel": 1}}, "layers.conv.out", ASKED),
        ({"bottleneck": {"out": 3}}, "layers.bottleneck.mid", ASKED),
        ({"bottleneck": {"mid": 3}}, "layers.bottleneck.out", ASKED),
        ({"concat": {"out": 3}}, "layers.concat.mid", ASKED),
        ("separable", "layers.separable.out", ASKED),
        ({"conv": {"out": 3, "kernel": [1, 2, 3]}}, "layers.conv.kernel", TWO),
        ({"conv": {"out": 3, "stride": [1]}}, "layers.conv.stride", TWO),
        ("convs", "layers", "there is no layer 'convs'; did you mean 'conv'?"),
        ({"conv": {"out": 4, "groups": 2}}, "layers", "2 groups do not divide 3 and 4 channels"),
        ({"conv": {"out": 4, "groups": 3}}, "layers", "3 groups do not divide 3 and 4 channels"),
        (
            {"conv": {"out": 3, "kernel": [9, 1], "padding": 0}},
            "layers",
            "nothing is left of the image after layer 'conv'",
        ),
    ],
    ids=str,
)
def test_what_a_layer_lacks_is_told_in_words(layer, key, remedy):
    with pytest.raises(InvalidEntry) as caught:
        net(layer)
    assert (caught.value.key, caught.value.remedy) == (key, remedy)


def test_a_window_may_take_the_whole_image_and_a_layer_be_repeated_a_thousand_times():
    assert net({"conv": {"out": 3, "kernel": [8, 8], "padding": 0}}).parts[-1].outputs == 3
    assert len(net({"depthwise": {"repeat": 1000}}).parts) == 2000


def test_values_that_flow_are_those_of_the_maps_by_hand():
    """8 x 6 of three channels, oblong steps: every part's values in and out."""
    model = net(
        {"conv": {"out": 5, "stride": [2, 3]}},  # to 4 x 2
        {"inverted": {"out": 5, "expand": 2, "squeeze": 2}},
        {"basic": {"out": 7, "stride": 2}},  # to 2 x 1
        "norm",
        "avgpool",
        {"dense": {"out": 11}},
        width=6,
    )
    wide, narrow, small = 8 * 10, 8 * 5, 2 * 7
    assert [(part.name, part.inputs, part.outputs) for part in model.parts] == [
        *(("conv", 48 * 3, narrow), ("activation", narrow, narrow)),
        *(("conv", narrow, wide), ("activation", wide, wide)),
        *(("depthwise", wide, wide), ("activation", wide, wide)),
        *(("pool", wide, 10), ("dense", 10, 2), ("dense", 2, 10), ("scale", wide, wide)),
        *(("conv", wide, narrow), ("activation", narrow, narrow)),
        ("add", 2 * narrow, narrow),
        *(("conv", narrow, small), ("activation", small, small)),
        *(("conv", small, small), ("activation", small, small)),
        *(("shortcut", narrow, small), ("activation", small, small)),
        ("add", 2 * small, small),
        ("norm", small, small),
        ("pool", small, 7),
        ("dense", 7, 11),
    ]
