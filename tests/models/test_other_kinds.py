"""Recommendation, diffusion, state space and vision transformers, against published counts."""

from __future__ import annotations

import pytest

from mlsysim import Engine, Hardware, Models
from mlsysim.core.errors import BadArgument, InvalidEntry
from mlsysim.models.diffusion import DiffusionWorkload
from mlsysim.models.recommendation import RecommendationWorkload
from mlsysim.models.statespace import StateSpaceWorkload
from mlsysim.models.vision_transformer import VisionTransformerWorkload
from mlsysim.models.widths import Widths
from mlsysim.solvers import ContinuousBatchingModel, ServingModel

equal = Widths.equal

DLRM, DCN = Models.Recommendation.DLRM, Models.Recommendation.DLRM_DCNv2
DIFFUSION, MAMBA = Models.Diffusion.StableDiffusion1_5, Models.Statespace.Mamba1_2_8B
VIT = Models.Vision.ViT_B_16


def solve(model, **how):
    return Engine.solve(model, Hardware.H200, **how)


def test_each_kind_is_built_by_its_own_type():
    assert type(DLRM) is type(DCN) is RecommendationWorkload
    assert type(DIFFUSION) is DiffusionWorkload
    assert type(MAMBA) is StateSpaceWorkload
    assert type(VIT) is VisionTransformerWorkload


@pytest.mark.parametrize("model", [DLRM, DCN, DIFFUSION, MAMBA, VIT], ids=lambda model: model.name)
def test_parameters_add_up_to_the_published_count(model):
    assert model.counted_parameters() == model.parameters


@pytest.mark.parametrize("model", [DLRM, DCN, DIFFUSION, MAMBA, VIT], ids=lambda model: model.name)
def test_sweeps_and_dictionaries_agree_with_single_solves(model):
    assert Models.from_spec(model.to_dict()) == model
    how = {"batch_sizes": [1, 7], "precisions": ["fp16", "int8"]}
    for row in Engine.sweep(model, [Hardware.H200], **how):
        one = solve(model, batch_size=row["batch_size"], precision=row["precision"])
        for name in ("latency", "operations", "traffic", "memory_required"):
            assert row["profile"].si(name) == pytest.approx(one.si(name), rel=1e-12)


@pytest.mark.parametrize("model", [DLRM, DCN, DIFFUSION, MAMBA, VIT], ids=lambda model: model.name)
def test_training_does_three_times_the_work_and_keeps_more(model):
    how = {"phase": "prefill"} if model is MAMBA else {}
    trained, run = solve(model, training=True), solve(model, **how)
    assert trained.si("memory_required") > run.si("memory_required")
    if model not in (DIFFUSION, MAMBA):
        assert trained.si("operations") == pytest.approx(3 * run.si("operations"))


# ---- recommendation ------------------------------------------------------------------------------


def test_a_query_reads_a_few_rows_and_not_the_tables():
    """26 rows of 128 values and 2,368,897 network weights at 4 bytes, of tables of 104.5 GB."""
    query = solve(DLRM, precision="fp32")
    rows, network = 26 * 128 * 4, 2368897 * 4
    assert query.weights.m_as("GB") == pytest.approx(104.55, abs=0.01)  # what must fit
    moved = query.si("traffic")
    assert rows + network < moved < rows + network + 100e3  # and the activations between layers
    assert not Engine.solve(DLRM, Hardware.H100, precision="fp32").feasible
    assert Engine.solve(DLRM, Hardware.H100, precision="fp16").feasible


def test_multi_hot_queries_read_more_rows():
    """214 look-ups; those in a table of three rows find one twice now and then."""
    one = DCN.totals(DCN.step(1.0, None, None, equal(4.0)))
    rows = one.weights - 4 * 16044545
    assert 0.93 * 214 * 512 < rows < 214 * 512


def test_the_networks_of_both_variants_by_hand():
    """Pairs of 27 vectors, and three cross layers of 3456 x 512 x 3456."""
    bottom = 13 * 512 + 512 * 256 + 256 * 128
    top = 1024 * 1024 + 1024 * 512 + 512 * 256 + 256
    pairs = 27 * 26 // 2
    assert DLRM.counted_macs() == bottom + pairs * 128 + (pairs + 128) * 1024 + top
    assert DCN.counted_macs() == bottom + 3 * 2 * 3456 * 512 + 3456 * 1024 + top
    assert solve(DLRM).si("operations") == 2 * DLRM.counted_macs()


def test_a_large_batch_finds_small_tables_whole_and_large_ones_hardly_twice():
    batch = 100_000
    rows = DLRM.totals(DLRM.step(float(batch), None, None, equal(1.0))).weights - 2368897
    small = sum(rows for rows in DLRM.tables if rows < 10_000)
    assert rows / 128 > small
    assert rows / 128 < 26 * batch
    large = sum(1 for rows in DLRM.tables if rows == 40_000_000)
    assert rows / 128 > 0.99 * large * batch


def test_training_updates_the_rows_that_a_batch_touches():
    """Not 3 x 104 GB of weights and 2 x 209 GB of optimizer state."""
    trained = solve(DLRM, training=True, batch_size=8, precision="fp32")
    assert trained.si("traffic") < 1e9
    assert trained.si("weights") > 3 * 104.5e9


def test_tables_and_lookups_must_match():
    spec = DLRM.to_dict()
    with pytest.raises(InvalidEntry, match="26 tables"):
        Models.from_spec({**spec, "lookups": [1, 1]})
    with pytest.raises(InvalidEntry, match="make it 128 wide"):
        Models.from_spec({**spec, "bottom": [512, 64]})
    with pytest.raises(InvalidEntry, match="cross_rank"):
        Models.from_spec({**spec, "interaction": "cross"})
    with pytest.raises(BadArgument, match="no sequence"):
        solve(DLRM, seq_len=10)


# ---- diffusion -----------------------------------------------------------------------------------


def test_the_unet_does_what_its_layers_were_counted_to_do():
    """The authors of BK-SDM count 338,749,194,240 in its layers, without attention's products."""
    attention = sum(part.macs for part in DIFFUSION.parts if part.kind == "attention")
    assert DIFFUSION.counted_macs() - attention == pytest.approx(338_749_194_240, rel=0.001)
    assert DIFFUSION.counted_macs() == pytest.approx(DIFFUSION.macs, rel=0.01)


def test_an_image_is_all_of_its_steps():
    """Weights are streamed once a step, not once an image; guidance doubles the work of each."""
    image = solve(DIFFUSION)
    assert image.operations.m_as("FLOP") == pytest.approx(50 * 2 * 2 * DIFFUSION.counted_macs())
    total = DIFFUSION.totals(DIFFUSION.step(1.0, None, None, equal(2.0)))
    assert total.weights == pytest.approx(50 * 2 * DIFFUSION.parameters)
    fewer = solve(DIFFUSION.replace(steps=25))
    assert image.si("operations") == 2 * fewer.si("operations")
    assert image.si("traffic") == pytest.approx(2 * fewer.si("traffic"))
    unguided = solve(DIFFUSION.replace(guidance=False))
    assert image.si("operations") == 2 * unguided.si("operations")
    assert image.si("weights") == unguided.si("weights") == 2 * DIFFUSION.parameters


def test_a_small_device_waits_for_the_weights_of_every_step():
    """With activations cheap, 50 steps of 1.72 GB at 34 GB/s alone take 2.5 s."""
    image = Engine.solve(DIFFUSION, Hardware.RaspberryPi_5, precision="fp32")
    bandwidth = Hardware.RaspberryPi_5.memory.bandwidth.m_as("B/s")
    assert image.si("memory_time") > 50 * 4 * DIFFUSION.parameters / bandwidth


def test_diffusion_trains_on_one_pass_an_image():
    trained = solve(DIFFUSION, training=True, batch_size=4)
    assert trained.operations.m_as("FLOP") == pytest.approx(4 * 3 * 2 * DIFFUSION.counted_macs())


def test_a_latent_must_halve_at_every_width():
    with pytest.raises(InvalidEntry, match="halved 3 times"):
        Models.from_spec({**DIFFUSION.to_dict(), "latent": 36})


# ---- state space ---------------------------------------------------------------------------------


def test_the_state_is_the_same_at_any_context():
    """64 layers of 5,120 channels keep 16 values of state and 4 of window: 13.1 MB in fp16."""
    short, long = (solve(MAMBA, seq_len=n) for n in (1, 1_000_000))
    assert short.si("kv_cache") == 64 * 5120 * (16 + 4) * 2
    assert long.kv_cache == short.kv_cache
    assert long.latency == short.latency
    assert MAMBA.inner == 2 * 2560
    assert MAMBA.kv_cache(9000).m_as("B") == pytest.approx(short.si("kv_cache"))
    for malformed in (
        {"seq_len": -5},
        {"seq_len": 5, "batch_size": 0},
        {"seq_len": "long"},
        {"seq_len": 5, "precision": "int5"},
    ):
        with pytest.raises(BadArgument):
            MAMBA.kv_cache(**malformed)


def test_decode_reads_every_weight_and_reads_and_writes_the_state():
    step = solve(MAMBA)
    norms_and_table = 2 * 2560  # one embedding row; the norms are fused into their neighbours
    weights = 2 * 2768345600
    state = 2 * 64 * 5120 * 20 * 2
    assert step.traffic.m_as("B") == pytest.approx(weights + state + norms_and_table, rel=1e-6)
    assert step.bottleneck == "Memory"


def test_prefill_grows_with_the_prompt_and_not_with_its_square():
    """Per token: projections and windows, three products an element of state; the head once."""
    token = 64 * (2560 * 10240 + 5120 * 4 + 5120 * 192 + 160 * 5120 + 5120 * 2560 + 3 * 5120 * 16)
    head = 2560 * 50280
    for length in (1000, 100_000):
        prompt = solve(MAMBA, phase="prefill", seq_len=length)
        assert prompt.operations.m_as("FLOP") == pytest.approx(2 * (token * length + head))


@pytest.mark.parametrize("length", [1000, 100_000])
def test_prefill_moves_what_its_operators_read_and_write_by_hand(length):
    """64 layers of 5,120 channels with 16 values of state, a window of 4 and a rank of 160."""
    layer = 2560 * 10240 + (4 + 1) * 5120 + 5120 * 192 + (160 + 1) * 5120 + (16 + 1) * 5120
    learned = 64 * (layer + 5120 * 2560) + 65 * 2560 + 2560 * 50280
    left_behind = 64 * 5120 * (16 + 4)
    # read and written a token: both projections, the window's convolution, select and dt; and the
    # scan, which reads values, gates and steps of every channel, B and C, and writes its output
    around = (2560 + 10240) + 2 * 5120 + (5120 + 192) + (160 + 5120) + (5120 + 2560)
    scan = (3 * 5120 + 2 * 16) + 5120
    token = 2 * 2560 + 64 * (around + scan)  # and a row of the embedding, read and written
    values = learned + left_behind + length * token + 2560 + 50280  # one row of the head
    assert solve(MAMBA, phase="prefill", seq_len=length).traffic.m_as("B") == pytest.approx(
        2 * values, rel=1e-12
    )


def test_a_state_that_does_not_grow_makes_room_for_long_sequences():
    short, long = (ServingModel().solve(MAMBA, Hardware.H100, seq_len=n) for n in (100, 100_000))
    assert short.kv_cache == long.kv_cache
    assert short.itl == long.itl
    batched = ContinuousBatchingModel().solve(MAMBA, Hardware.H100, seq_len=5, max_seq_len=10_000)
    assert batched.static_batch == batched.paged_batch  # there is nothing to page


# ---- vision transformer --------------------------------------------------------------------------


def test_a_vision_transformer_sees_patches():
    """196 patches and a class token; torchvision counts 17.56e9 multiply-accumulates."""
    image = solve(VIT)
    assert image.seq_len == 197
    encoder = 197 * 12 * (4 * 768**2 + 2 * 768 * 3072) + 12 * 2 * 197**2 * 768
    edges = 196 * 16 * 16 * 3 * 768 + 768 * 1000
    assert VIT.counted_macs() == encoder + edges
    assert VIT.counted_macs() == pytest.approx(VIT.macs, rel=0.001)
    assert image.si("operations") == 2 * (encoder + edges)
    assert image.kv_cache.magnitude == 0


def test_a_vision_transformer_has_no_sequence_to_choose():
    with pytest.raises(BadArgument, match="196 patches"):
        solve(VIT, seq_len=300)
    with pytest.raises(InvalidEntry, match="does not cut"):
        Models.from_spec({**VIT.to_dict(), "patch": 15})


def test_patches_see_each_other():
    vit = Models.ViT_B_16.to_dict() | {"causal": True}
    with pytest.raises(InvalidEntry, match="causal: patches see each other; leave it out"):
        Models.from_spec(vit)


# ---- speech --------------------------------------------------------------------------------------

WHISPER = Models.Speech.Whisper_large_v3


def test_a_whisper_is_the_published_one_but_for_what_is_not_learned():
    # the authors' keys have no biases (in 32 + 2 x 32 attentions), and positions of the encoder
    # are waves that their file counts
    unlike = 1500 * 1280 - 96 * 1280
    assert WHISPER.counted_parameters() + unlike == WHISPER.parameters


def test_a_token_of_speech_reads_what_was_heard_and_not_the_encoder():
    """Per layer 1,500 keys and values of 1,280 for the audio, and those of 100 tokens written."""
    step = WHISPER.step(2.0, 100.0, "decode", equal(2.0))
    total = WHISPER.totals(step)
    kept = 2 * 32 * (1500 + 100) * 2 * 1280 * 2
    assert WHISPER.held_state(step) == total.state == kept
    # self attention and its output, a query and an output across, two matrices, and the head
    layer = 4 * 1280 * 1280 + 2 * 1280 * 1280 + 2 * 1280 * 5120
    matrices = 32 * layer + 1280 * 51866
    assert total.weights == pytest.approx(2 * matrices, rel=1e-3)
    attention = 32 * (1500 + 100) * 2 * 1280
    assert total.flops == pytest.approx(2 * 2 * (matrices + attention), rel=1e-3)


def test_a_prompt_hears_the_audio_once():
    """An encoder of 32 layers over 1,500 tokens that all see each other, after two convolutions."""
    prompt, token = (
        WHISPER.totals(WHISPER.step(1.0, 1.0, phase, equal(2.0))) for phase in ("prefill", "decode")
    )
    layer = 4 * 1280 * 1280 + 2 * 1280 * 5120
    encoder = 1500 * 32 * layer + 32 * 1500 * 1500 * 2 * 1280
    convolutions = 3000 * 3 * 128 * 1280 + 1500 * 3 * 1280 * 1280
    keys = 32 * 1500 * 2 * 1280 * 1280
    assert prompt.flops - token.flops == pytest.approx(2 * (encoder + convolutions + keys))
    assert prompt.held == token.held  # the encoder stays on the device


def test_speech_is_solved_served_and_swept():
    assert Models.from_spec(WHISPER.to_dict()) == WHISPER
    sweep = Engine.sweep(WHISPER, ["H200"], batch_sizes=[1, 8], seq_lens=[4, 400])
    for row in sweep:
        one = solve(WHISPER, batch_size=row["batch_size"], seq_len=row["seq_len"])
        assert row["profile"].si("latency") == pytest.approx(one.si("latency"), rel=1e-12)
    served = ServingModel().solve(WHISPER, Hardware.H200, seq_len=4, decode_tokens=100)
    assert served.si("ttft") > 0
    assert solve(WHISPER, training=True).si("operations") > 0
    with pytest.raises(InvalidEntry, match="even number"):
        WHISPER.replace(frames=2999)


# ---- the larger U-Net ----------------------------------------------------------------------------

SDXL = Models.Diffusion.SDXL


def test_sdxl_has_the_parameters_of_its_unet():
    """2.6 billion in the paper's table 1; the file of its weights holds 2,567,463,684."""
    assert SDXL.counted_parameters() == SDXL.parameters == 2_567_463_684


def test_sdxl_attends_to_four_thousand_and_one_thousand_positions():
    # 2 + 3 blocks of depth 2 at 64 x 64, and 2 + 3 of depth 10 and the bottom's 10 at 32 x 32
    attention = [part for part in SDXL.parts if part.name == "self attention"]
    assert sorted(part.macs for part in attention) == [
        *[2 * 1024**2 * 1280] * 60,
        *[2 * 4096**2 * 640] * 10,
    ]


def test_a_small_unet_on_paper():
    """8 x 8 of 4 channels to 8 and 16: one block a level, two on the way up, attention at 4 x 4."""
    model = Models.from_spec(
        {"kind": "diffusion", "name": "Tiny", "latent": 8, "latent_channels": 4, "blocks": 1}
        | {"channels": [8, 16], "depths": [0, 2], "added": 6, "text_width": 12, "text_tokens": 7}
        | {"steps": 20}
    )
    parts = [part for part in model.parts if part.kind != "elementwise"]

    def conv(name, side, inner, out, kernel=3, stride=1):
        learned = (kernel**2 * inner + 1) * out
        read = side**2 * stride**2 * inner
        return name, side**2 * (learned - out), learned, read, side**2 * out

    def dense(name, many, inner, out, bias=1):
        return name, many * inner * out, (inner + bias) * out, many * inner, many * out

    def residual(side, inner, out):
        shortcut = [conv("shortcut", side, inner, out, kernel=1)] if inner != out else []
        first, second = conv("conv", side, inner, out), conv("conv", side, out, out)
        return [first, dense("time", 1, 32, out), second, *shortcut]

    block = [
        dense("qkv", 16, 16, 48, bias=0),
        ("self attention", 2 * 16 * 16 * 16, 0, 3 * 16 * 16, 16 * 16),
        dense("attention out", 16, 16, 16),
        dense("query", 16, 16, 16, bias=0),
        dense("text keys", 7, 12, 32, bias=0),
        ("cross attention", 2 * 16 * 7 * 16, 0, (16 + 2 * 7) * 16, 16 * 16),
        dense("attention out", 16, 16, 16),
        dense("ffn up", 16, 16, 8 * 16),
        dense("ffn down", 16, 4 * 16, 16),
    ]
    attends = [dense("proj in", 16, 16, 16), *2 * block, dense("proj out", 16, 16, 16)]
    # what goes up meets what went down: 16 + 16, 16 + 8, then 16 + 8 and 8 + 8
    assert [(part.name, *part[2:]) for part in parts] == [
        *(dense("time", 1, 8, 32), dense("time", 1, 32, 32)),
        *(dense("added", 1, 6, 32), dense("added", 1, 32, 32)),
        conv("conv in", 8, 4, 8),
        *residual(8, 8, 8),
        conv("down", 4, 8, 8, stride=2),
        *(*residual(4, 8, 16), *attends),
        *(*residual(4, 16, 16), *attends, *residual(4, 16, 16)),
        *(*residual(4, 32, 16), *attends, *residual(4, 24, 16), *attends),
        conv("up", 8, 16, 16),
        *(*residual(8, 24, 8), *residual(8, 16, 8)),
        conv("conv out", 8, 8, 4),
    ]
    norms = [part.inputs for part in model.parts if part.kind == "elementwise"]
    around = [16 * 16] * 7  # a transformer's, and three in each of two blocks
    assert norms == [
        *(64 * 8, 64 * 8),
        *(16 * 8, 16 * 16, *around),
        *(16 * 16, 16 * 16, *around, 16 * 16, 16 * 16),
        *(16 * 32, 16 * 16, *around, 16 * 24, 16 * 16, *around),
        *(64 * 24, 64 * 8, 64 * 16, 64 * 8),
        64 * 8,
    ]


@pytest.mark.parametrize("depths", [[1, 1], [0, 0, 0]])
def test_depths_are_one_for_each_width_and_not_all_zero(depths):
    with pytest.raises(InvalidEntry, match="one for each of the channels"):
        Models.from_spec({**SDXL.to_dict(), "depths": depths})
