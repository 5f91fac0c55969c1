"""The hardware contract: every device answers every question, and its numbers hang together."""

from __future__ import annotations

import itertools

import pytest

from mlsysim import Q_, Hardware
from mlsysim.core.errors import MLSysError, NoDatapath, UnknownName
from mlsysim.core.units import PRECISIONS
from mlsysim.hardware.types import WIDER, ComputeCore, HardwareNode, MemoryHierarchy

ENTRIES = dict(Hardware.entries())
each = pytest.mark.parametrize("name", ENTRIES)


@each
def test_plain_data_builds_the_same_device_again(name):
    device = ENTRIES[name]
    assert Hardware.from_spec(device.to_dict()) == device


@each
def test_every_precision_has_a_datapath_or_says_that_it_has_none(name):
    device = ENTRIES[name]
    for precision in PRECISIONS:
        try:
            path = device.datapath(precision)
        except NoDatapath as error:
            words = f"{device.name} cannot run precision={precision!r}"
            assert str(error).startswith(words)  # noqa: PT017
            continue
        assert path in device.compute.datapaths
        assert device.peak(precision) == device.compute.datapaths[path]


@each
def test_a_narrower_datapath_of_the_same_family_is_never_slower(name):
    paths = ENTRIES[name].compute.datapaths
    for family in (("fp32", "fp16", "fp8", "fp4"), ("fp32", "tf32", "fp16"), ("int8", "int4")):
        held = [paths[precision] for precision in family if precision in paths]
        assert all(wide <= narrow for wide, narrow in itertools.pairwise(held))


@each
def test_the_ridge_is_where_the_two_roofs_meet(name):
    device = ENTRIES[name]
    precision = device.compute.peak_precision
    rate = device.ridge(precision) * device.memory.bandwidth
    assert rate.m_as("FLOP/s") == pytest.approx(device.peak(precision).m_as("FLOP/s"))


@pytest.mark.parametrize(
    ("name", "precision", "ridge"),
    # dense peak over bandwidth, as printed on the datasheets
    [
        ("H100", "fp16", 989.4 / 3.35),
        ("H100", "fp8", 1978.9 / 3.35),
        ("A100", "fp16", 312 / 2.039),
        ("V100", "fp16", 125 / 0.9),
        ("L4", "fp16", 121 / 0.3),
    ],
)
def test_the_ridge_is_peak_over_bandwidth(name, precision, ridge):
    assert ENTRIES[name].ridge(precision).m_as("FLOP/B") == pytest.approx(ridge, rel=0.005)
    assert f"{ENTRIES[name].ridge(precision).units:~P}" == "FLOP/B"


CUT = {"B300", "GB300"}  # int8 made room for fp4


@pytest.mark.parametrize("name", [n for n, d in ENTRIES.items() if d.vendor in ("NVIDIA", "AMD")])
def test_tensor_cores_double_their_rate_with_every_halving(name):
    paths = ENTRIES[name].compute.datapaths
    rates = {
        f"{narrow}/{wide}": (paths[narrow] / paths[wide]).m_as("")
        for narrow, wide in (
            ("bf16", "fp16"), ("fp16", "tf32"), ("fp8", "fp16"), ("int8", "fp16"), ("int4", "int8")
        )
        if narrow in paths and wide in paths
    }  # fmt: skip
    expected = {"bf16/fp16": (1,), "fp16/tf32": (2,), "fp8/fp16": (2,), "int4/int8": (2,)}
    # fp32 accumulation halves fp16 on GeForce; the MI250X has one rate for both
    expected["int8/fp16"] = (rates.get("int8/fp16"),) if name in CUT else (1, 2, 4)
    for pair, rate in rates.items():
        nearest = min(expected[pair], key=lambda one: abs(one - rate))
        assert rate == pytest.approx(nearest, rel=0.026), pair  # sheets print few digits


@each
def test_pcie_runs_at_the_rate_of_its_generation(name):
    link = ENTRIES[name].host_link
    if link and link.name.startswith("PCIe"):
        generation = int(link.name.split()[1])
        giga_transfers = {3: 8, 4: 16, 5: 32}[generation]  # a lane and second
        bytes_per_second = 16 * giga_transfers * 1e9 * (128 / 130) / 8
        assert link.bandwidth.m_as("B/s") == pytest.approx(bytes_per_second, rel=0.005)


@each
def test_a_launch_takes_one_of_three_round_figures(name):
    # from a host to its accelerator, a call on a processor, and the interpreter of a small one
    assert ENTRIES[name].dispatch_tax.m_as("us") in (10, 5, 1000)


@pytest.mark.parametrize(
    ("name", "megahertz"),
    [("nRF52840", 64), ("nRF5340", 128), ("STM32L4R5ZI", 120), ("STM32U575", 160),
     ("STM32U585", 160), ("PSoC_62", 150)],
)  # fmt: skip
def test_a_small_arm_core_does_one_flop_four_narrow_operations_and_a_word_a_cycle(name, megahertz):
    device, clock = ENTRIES[name], megahertz * 1e6
    assert device.peak("fp32").m_as("FLOP/s") == clock
    assert device.peak("int8").m_as("FLOP/s") == 4 * clock
    assert device.memory.bandwidth.m_as("B/s") == 4 * clock


@pytest.mark.parametrize("name", ["M1_7core", "M1_Max", "M2_Ultra", "M3_Ultra", "M4_Max"])
def test_apple_runs_both_widths_at_one_rate(name):
    assert ENTRIES[name].peak("fp16") == ENTRIES[name].peak("fp32")


def test_the_super_firmware_lifts_the_clocks_and_the_silicon_stays():
    plain, lifted = Hardware.Jetson_Orin_Nano, Hardware.Jetson_Orin_Nano_Super
    assert plain.memory.capacity == lifted.memory.capacity
    # 40 and 67 TOPS with sparsity, 68 and 102 GB/s, 15 and 25 W; the 249 USD buy the second
    assert plain.peak("int8").m_as("TFLOP/s") == 20
    assert lifted.peak("int8").m_as("TFLOP/s") == 33.5
    assert (lifted.memory.bandwidth / plain.memory.bandwidth).m_as("") == 1.5
    assert (plain.tdp.m_as("W"), lifted.tdp.m_as("W")) == (15, 25)
    assert plain.unit_cost is None
    assert lifted.unit_cost.m_as("USD") == 249


@each
def test_flash_is_larger_and_slower_than_the_memory_in_front_of_it(name):
    memory = ENTRIES[name].memory
    if memory.flash:
        assert memory.flash.capacity > memory.capacity
        assert memory.flash.bandwidth < memory.bandwidth


@each
def test_the_numbers_are_those_of_a_machine(name):
    device = ENTRIES[name]
    assert 1e6 <= device.compute.peak_flops.m_as("FLOP/s") <= 1e18
    assert 1e4 <= device.memory.capacity.m_as("B") <= 1e13
    assert device.sleep_power is None or device.tdp is None or device.sleep_power < device.tdp


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        # what the driver lets a user allocate: HBM boards are near 80 GiB, GDDR ones are not
        ("H100", 85.52),
        ("A100", 85.90),
        ("H200", 150.75),
        ("T4", 16.11),
        ("L4", 24.15),
        ("L40S", 48.31),
        ("A100_40GB", 42.95),
        ("A10", 24.15),
        ("B300", 288.4),
        ("GB300", 298.0),
        ("H20", 102.6),
        ("H100_NVL", 100.5),
        ("MI350X", 309.2),  # AMD and Google count in GiB
        ("TPU_v7", 206.2),
    ],
)
def test_capacity_is_what_can_be_allocated(name, gigabytes):
    assert ENTRIES[name].memory.capacity.m_as("GB") == pytest.approx(gigabytes, rel=0.02)


@pytest.mark.parametrize(
    ("name", "both_ways"),
    # what the datasheets print counts sending and receiving together
    [
        ("V100", 300),
        ("A100", 600),
        ("H100", 900),
        ("H200", 900),
        ("B200", 1800),
        ("H800", 400),
        ("H20", 900),
        ("GH200", 900),
        ("GB200", 1800),
        ("GB300", 1800),
        ("H100_NVL", 600),
        ("TPU_v5e", 400),
        ("TPU_v6e", 800),
        ("TPU_v7", 1200),
        ("Trainium3", 2560),
    ],
)
def test_a_link_is_rated_in_one_direction(name, both_ways):
    assert ENTRIES[name].interconnect.bandwidth.m_as("GB/s") == both_ways / 2


@pytest.mark.parametrize(
    ("name", "precision", "teraflops"),
    [
        ("A100", "fp16", 312),
        ("A100", "int8", 624),
        ("H100", "fp16", 989.4),
        ("H100", "fp8", 1978.9),
        ("V100", "fp16", 125),
        ("V100", "fp64", 7.8),
        ("MI300X", "fp64", 163.4),
        ("A10", "fp16", 125),  # 250 with sparsity
        ("RTX_A6000", "int8", 309.7),  # 619.4
        ("MI355X", "fp4", 10_050),  # 20,100
        ("MI350X", "fp8", 4_614),  # 9,200
        ("H100_NVL", "bf16", 835.5),  # 1,671
        ("H20", "fp8", 296),
        ("TPU_v7", "fp8", 4_614),
        ("Trainium3", "bf16", 671),  # 2,517
        ("RTX_5090", "fp8", 419),  # with fp32 accumulation, 838 with sparsity
        ("RTX_PRO_6000", "fp4", 2_000),  # 4,000
        ("A10G", "fp16", 70),  # 140, and not the 125 of the A10
        ("DGX_Spark", "fp4", 500),  # 1,000
        ("Jetson_AGX_Orin", "int8", 85),  # 170, and 275 with the DLAs
        ("Jetson_AGX_Thor", "fp4", 1_035),  # 2,070
        ("B300", "fp4", 13_500),  # 144,000 for eight is sparse
        ("B200", "fp64", 37),  # the last table, where the first brief said 40
        ("GB200", "fp32", 80),
        # GeForce boards, with fp32 accumulation: twice their 40.09 in fp32
        ("RTX_4070_Ti", "fp16", 80.18),
        ("RTX_4070_Ti", "fp8", 160.4),
    ],
)
def test_peaks_are_dense(name, precision, teraflops):
    assert ENTRIES[name].peak(precision).m_as("TFLOP/s") == pytest.approx(teraflops, rel=0.002)


@pytest.mark.parametrize(
    ("name", "precision", "path"),
    [
        ("H100", "int4", "fp16"),  # Hopper has no int4 tensor path: bytes shrink, compute does not
        ("A100", "int4", "fp16"),  # weights alone: no language model computes in int4
        ("A100", "w4a4", "int4"),
        ("H100", "w4a4", "fp16"),
        ("V100", "int8", "fp16"),
        ("V100", "bf16", "fp32"),
        ("A100", "fp8", "fp16"),
        ("Coral_EdgeTPU", "int8", "int8"),
        ("Coral_EdgeTPU", "int4", "int8"),
        ("nRF52840", "fp16", "fp32"),
    ],
)
def test_a_precision_runs_on_the_datapath_that_would_really_run_it(name, precision, path):
    assert ENTRIES[name].datapath(precision) == path


@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp32", "fp64", "fp8"])
def test_an_integer_machine_does_not_run_floating_point(precision):
    with pytest.raises(NoDatapath, match="its datapaths are int8"):
        Hardware.Edge.Coral_EdgeTPU.peak(precision)


def test_widening_never_narrows_the_numbers_that_arithmetic_must_hold():
    for precision, wider in WIDER.items():
        floats = [path for path in wider if path.startswith(("fp", "bf", "tf"))]
        assert all(PRECISIONS[path] >= PRECISIONS[precision] for path in floats)


@pytest.mark.parametrize("precision", ["fp61", "", None, 16, ["fp16"], {}], ids=repr)
def test_an_unknown_precision_is_refused(precision):
    for ask in (Hardware.H100.datapath, Hardware.H100.peak, Hardware.H100.ridge):
        with pytest.raises(UnknownName, match="precision"):
            ask(precision)


def test_a_device_is_built_from_quantities_too():
    chip = HardwareNode(
        name="Speculative GPU",
        release_year=2027,
        compute=ComputeCore(peak_flops=Q_("1200 TFLOP/s")),
        memory=MemoryHierarchy(capacity=Q_("144 GB"), bandwidth=Q_("5 TB/s")),
        tdp=Q_("800 W"),
    )
    assert chip.ridge().m_as("FLOP/B") == pytest.approx(240)
    assert "1200" in str(chip)


@pytest.mark.parametrize(
    "value", [Q_(float("nan"), "B/s"), Q_(0, "B/s"), Q_(-1, "B/s"), Q_(1, "B"), 5, "fast"], ids=str
)
def test_no_device_has_an_impossible_bandwidth(value):
    with pytest.raises(MLSysError, match="bandwidth"):
        MemoryHierarchy(capacity="1 GB", bandwidth=value)


def chip(peaks, vendor="NVIDIA", technology="HBM3", **more):
    """A chip of these datapaths, in TFLOP/s, of which the first is its peak."""
    (precision, peak), *others = peaks.items()
    rest = {name: f"{flops} TFLOP/s" for name, flops in others}
    return HardwareNode(
        name="chip",
        vendor=vendor,
        compute={"peak_flops": f"{peak} TFLOP/s", "peak_precision": precision, "precision": rest},
        memory={"capacity": "3 GB", "bandwidth": "2 TB/s", "technology": technology},
        **more,
    )


@pytest.mark.parametrize(
    ("how", "generation", "family"),
    [
        # the narrowest floating-point datapath tells a design, and graphics memory its boards
        ({"peaks": {"fp16": 8, "bf16": 8, "fp8": 16, "fp4": 32, "fp32": 1}}, "Blackwell", ""),
        ({"peaks": {"fp16": 8, "bf16": 8, "fp8": 16, "fp32": 1}}, "Hopper", "Ada"),
        ({"peaks": {"fp16": 8, "bf16": 8, "fp32": 1}}, "Ampere", ""),
        ({"peaks": {"fp16": 8, "fp32": 1}}, "Turing", "Turing"),
        ({"peaks": {"fp16": 8}}, "NVIDIA", "NVIDIA"),
        ({"peaks": {"fp16": 8, "bf16": 8, "fp8": 16}, "vendor": "AMD"}, "AMD", "AMD"),
        ({"peaks": {"fp16": 8, "fp32": 1}, "vendor": None}, "chip", "chip"),
    ],
)
def test_a_generation_is_a_vendor_s_and_of_nvidia_s_a_design_s(how, generation, family):
    assert chip(**how).generation == chip(**how).family == generation
    boards = chip(**how, technology="GDDR6X")
    assert (boards.generation, boards.family) == (generation, family or f"{generation} RTX")
    assert chip(**how, technology=None).family == generation


@pytest.mark.parametrize(
    ("peaks", "matrices"),
    [
        ({"fp16": 2, "fp32": 1}, False),  # by what narrow numbers are shorter, and no more
        ({"fp16": 2.1, "fp32": 1}, True),
        ({"bf16": 2, "fp16": 1, "fp32": 1}, False),
        ({"bf16": 2.1, "fp16": 1, "fp32": 1}, True),
        ({"fp32": 1}, False),
        ({"fp32": 1, "tf32": 1}, True),  # what only such a unit computes
        ({"fp32": 1, "fp8": 1}, True),
        ({"fp32": 1, "fp4": 1}, True),
        ({"int8": 1}, True),  # and what has no vectors of fp32
    ],
)
def test_a_unit_for_matrices_gains_more_than_what_numbers_are_shorter_by(peaks, matrices):
    assert chip(peaks).multiplies_matrices is matrices


@pytest.mark.parametrize(
    ("peaks", "vendor", "times"),
    [
        ({"fp16": 3, "int8": 12, "bf16": 3}, "NVIDIA", 2),  # twice the width of two in int8
        ({"fp16": 3, "int8": 6, "bf16": 3}, "NVIDIA", 1),
        ({"fp16": 3, "int8": 3, "bf16": 3}, "NVIDIA", 1),  # it never takes longer
        ({"fp16": 3, "int8": 12, "bf16": 3}, "AMD", 1),
        ({"fp16": 3, "bf16": 3}, "NVIDIA", 1),
    ],
)
def test_sums_in_half_are_as_quick_as_two_in_int8(peaks, vendor, times):
    device = chip(peaks, vendor)
    assert device.supply("fp16").half_sums == device.supply("fp16").attention_sums == times
    assert device.supply("bf16").half_sums == 1
    mixed = device.supply("bf16", "fp16")
    assert (mixed.half_sums, mixed.attention_sums) == (1, times)


def test_a_supply_is_the_device_in_plain_numbers():
    flash = {"capacity": "5 GB", "bandwidth": "7 GB/s"}
    memory = {"capacity": "3 GB", "bandwidth": "2 TB/s", "flash": flash}
    device = chip({"fp16": 11, "fp8": 22, "fp32": 4}, tdp="300 W", dispatch_tax="9 us")
    supply = device.replace(memory=memory).supply("int4", "fp32")
    assert supply[:8] == (11e12, 4e12, 2e12, 3e9, 7e9, 5e9, 9e-6, 300)
    assert supply[8:] == ("fp16", "Hopper", "Hopper,fp16,fp32", True, 1, 1)
    # what is not there: no flash, no tax, a power that nobody knows, and no fp64 for attention
    bare = chip({"fp16": 11, "fp32": 4}, vendor=None).supply("fp16", "fp64")
    assert bare[:8] == (11e12, 11e12, 2e12, 3e9, 0, 0, 0, None)
    assert bare[8:] == ("fp16", "chip", "chip,fp16,fp16", True, 1, 1)
