"""Laws between the numbers of a device: what clocks, lanes, links and siblings make of each other.

Cores, clocks, lanes and links are typed here from other documents than the registry's, named
beside them; where one die is sold twice, its parts agree.
"""

from __future__ import annotations

import math

import pytest

from mlsysim import Hardware, Infrastructure, Systems

# ------------------------------------------------------------------ operations in a cycle

# unit: (how many, megahertz, operations of each in a cycle by precision)
CLOCKED = {
    # two pipes of 256 bits, a multiply and an add (llmperf.net on the EPYC 9654: 96 at 2.4 GHz)
    "EPYC_9654": (96, 2400, {"fp64": 16, "fp32": 32, "bf16": 64, "int8": 128}),
    # two vector units of 128 bits (liliputing.com on the Raspberry Pi 5: four A76 at 2.4 GHz)
    "RaspberryPi_5": (4, 2400, {"fp64": 8, "fp32": 16, "fp16": 32, "int8": 64}),
    # a multiply and an add; 128 bits in int8
    "ESP32_S3": (2, 240, {"fp32": 2, "int8": 32}),
    # Hot Chips 2025 through wccftech.com: up to 2.2 GHz with air, 2.4 with liquid
    "MI350X": (256, 2200, {"fp64": 128, "fp32": 256, "fp16": 4096, "bf16": 4096, "fp8": 8192,
                           "int8": 8192, "fp4": 16384}),
    "MI355X": (256, 2400, {"fp64": 128, "fp32": 256, "fp16": 4096, "bf16": 4096, "fp8": 8192,
                           "int8": 8192, "fp4": 16384}),
    # Bekman, accelerator chapter: FMAs a tensor core, tensor cores, boost clock
    "A100": (432, 1410, {"fp16": 512, "bf16": 512, "tf32": 256, "int8": 1024, "int4": 2048}),
    "A100_40GB": (432, 1410, {"fp16": 512, "bf16": 512, "tf32": 256, "int8": 1024, "int4": 2048}),
    "A100_PCIe": (432, 1410, {"fp16": 512, "bf16": 512, "tf32": 256, "int8": 1024, "int4": 2048}),
    "H100": (528, 1830, {"fp16": 1024, "bf16": 1024, "tf32": 512, "fp8": 2048, "int8": 2048}),
    "MI300X": (1216, 2100, {"fp16": 512, "bf16": 512, "tf32": 256, "fp8": 1024, "int8": 1024}),
    "MI250X": (880, 1700, {"fp16": 256, "bf16": 256, "int8": 256, "fp32": 64, "fp64": 64}),
    "Gaudi2": (2, 1650, {"bf16": 2 * 256 * 256, "fp8": 4 * 256 * 256}),
    # wafers: lanes of 16 bits, at about 1.1 GHz
    "CS2": (850_000, 1100, {"fp16": 2 * 4}),
    "CS3": (900_000, 1100, {"fp16": 2 * 8}),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOCKED)
def test_a_peak_is_units_times_clock_times_what_one_does_in_a_cycle(name):
    units, megahertz, each = CLOCKED[name]
    paths = Hardware[name].compute.datapaths
    for precision, operations in each.items():
        by_hand = units * megahertz * 1e6 * operations
        assert paths[precision].m_as("FLOP/s") == pytest.approx(by_hand, rel=0.016), precision


# Rates beside fp32. Server chips of one line have matrix units for fp64, or the vector rate halved
FP64 = {
    **dict.fromkeys(["A100", "A100_40GB", "A100_PCIe", "MI250X", "MI300X", "MI325X"], 1),
    **dict.fromkeys(["H100", "H200", "GH200", "H100_NVL", "H100_PCIe"], 1),
    **dict.fromkeys(["V100", "B200", "GB200", "MI350X", "MI355X"], 1 / 2),
    "EPYC_9654": 1 / 2,
    "RaspberryPi_5": 1 / 2,
    "B300": 1 / 60,  # fp4 took its place
}


@pytest.mark.parametrize("name", FP64)
def test_fp64_runs_at_the_share_of_fp32_that_its_line_has(name):
    paths = Hardware[name].compute.datapaths
    assert (paths["fp64"] / paths["fp32"]).m_as("") == pytest.approx(FP64[name], rel=0.015)


# Tensor cores of boards with GDDR: fp32 accumulation costs a GeForce half of fp16
GEFORCE = ("RTX_3090", "RTX_3090_Ti", "RTX_4070_Ti", "RTX_4090", "RTX_5090", "A10G")
FULL = ("A10", "RTX_A6000", "RTX_PRO_6000", "L4", "L40S")


@pytest.mark.parametrize("name", [*GEFORCE, *FULL])
def test_a_board_with_gddr_runs_fp16_at_two_or_four_times_fp32(name):
    paths = Hardware[name].compute.datapaths
    times = (paths[Hardware[name].compute.peak_precision] / paths["fp32"]).m_as("")
    assert times == pytest.approx(2 if name in GEFORCE else 4, rel=0.015)


# one die, sold with other memory, other links or other limits: the same rates
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A100", "A100_40GB"),
        ("A100", "A100_PCIe"),
        ("H100", "H200"),
        ("H100", "GH200"),
        ("MI300X", "MI325X"),
    ],
)
def test_boards_with_the_same_silicon_and_clocks_print_the_same_peaks(one, other):
    assert Hardware[one].compute.datapaths == Hardware[other].compute.datapaths


# Lockwood on the B300: the HGX variant performs as the B200 does, but for fp4 and fp64
@pytest.mark.parametrize(("name", "sibling"), [("B300", "B200")])
def test_taller_stacks_leave_the_rates_and_the_links_as_they_were(name, sibling):
    new, old = Hardware[name], Hardware[sibling]
    for precision in ("fp16", "bf16", "tf32", "fp8", "fp32"):
        assert new.compute.datapaths[precision] == old.compute.datapaths[precision]
    assert new.memory.bandwidth == old.memory.bandwidth
    assert new.interconnect.bandwidth == old.interconnect.bandwidth
    assert new.memory.capacity > old.memory.capacity


@pytest.mark.parametrize(("name", "petaflops"), [("B300", 2)])
def test_eight_boards_have_the_int8_that_is_printed_of_them_in_round_petaflops(name, petaflops):
    # fibermall.com, with sparsity
    board = 8 * 2 * Hardware[name].peak("int8")
    assert round(board.m_as("PFLOP/s")) == petaflops


@pytest.mark.parametrize("name", ["H20", "H800"])
def test_a_chip_for_export_has_one_teraflop_of_fp64_left(name):
    assert Hardware[name].peak("fp64").m_as("TFLOP/s") == 1


# ------------------------------------------------------------------ memory and links

# Bekman, network chapter, and Austin et al. for TPUs: links and GB/s of each in one direction
LINKS = {
    "V100": (6, 25),
    "A100": (12, 25),
    "A100_40GB": (12, 25),
    "H100": (18, 25),
    "H200": (18, 25),
    "GH200": (18, 25),
    "H20": (18, 25),
    "H800": (8, 25),
    "H100_NVL": (12, 25),
    "H100_PCIe": (12, 25),  # three bridges between two boards
    "B200": (18, 50),
    "GB200": (18, 50),
    "B300": (18, 50),
    "RTX_A6000": (4, 14.0625),
    "MI250X": (8, 50),
    "MI300X": (7, 64),
    "MI325X": (7, 64),
    "MI350X": (7, 76.5),
    "MI355X": (7, 76.5),
    "Gaudi2": (24, 12.5),
    "Gaudi3": (24, 25),
    "TPU_v5e": (4, 50),
    "TPU_v5p": (6, 100),
    "TPU_v6e": (4, 100),
}


@pytest.mark.parametrize("name", LINKS)
def test_the_links_of_a_device_add_up(name):
    number, each = LINKS[name]
    total = Hardware[name].interconnect.bandwidth.m_as("GB/s")
    assert total == pytest.approx(number * each, rel=0.005)


@pytest.mark.parametrize("name", ["GH200", "GB200"])
def test_the_processor_beside_is_reached_at_900_gigabytes_a_second_both_ways(name):
    assert Hardware[name].host_link.bandwidth.m_as("GB/s") == 900 / 2


@pytest.mark.parametrize("name", ["CS2", "CS3"])
def test_a_wafer_is_fed_through_twelve_ports_of_100_gigabits(name):
    # tweakers.net on the CS-1, whose chassis both share
    assert Hardware[name].host_link.bandwidth.m_as("Gbit/s") == pytest.approx(12 * 100)


@pytest.mark.parametrize(("one", "other"), [("CS2", "CS3")])
def test_a_new_wafer_draws_what_the_old_one_did(one, other):
    assert Hardware[one].tdp == Hardware[other].tdp


@pytest.mark.parametrize("name", ["CS2", "CS3"])
def test_a_wafer_is_sold_for_two_to_three_million(name):
    # nextbigfuture.com on the CS-2, 2021
    assert 2e6 < Hardware[name].unit_cost.m_as("USD") < 3e6


# bits of the bus, and gigatransfers a second on each
BUSES = {
    "A10": (384, 12.5),  # sysrqmts.com
    "A100_40GB": (5120, 2.43),  # a cluster's page in Paderborn: 1,215 MHz, twice a cycle
    "EPYC_9654": (12 * 64, 4.8),  # atizone.it and geektopia.es
    "RaspberryPi_5": (32, 4.267),  # liliputing.com
    "RTX_3090": (384, 19.5),  # fudzilla.net
    "RTX_3090_Ti": (384, 21),  # tweaktown.com
    "RTX_A6000": (384, 16),  # geektopia.es
    "RTX_PRO_6000": (512, 28),  # topcpu.net
}


@pytest.mark.parametrize("name", BUSES)
def test_bandwidth_is_the_width_of_the_bus_times_its_rate(name):
    bits, rate = BUSES[name]
    bandwidth = Hardware[name].memory.bandwidth.m_as("GB/s")
    assert bandwidth == pytest.approx(bits / 8 * rate, rel=0.006)


@pytest.mark.parametrize("name", [n for n, d in Hardware.entries() if d.memory.flash])
def test_flash_is_a_power_of_two(name):
    assert math.log2(Hardware[name].memory.flash.capacity.m_as("KiB")).is_integer()


@pytest.mark.parametrize(("name", "channels", "module"), [("EPYC_9654", 12, 32)])
def test_a_socket_has_a_module_on_every_channel(name, channels, module):
    assert Hardware[name].memory.capacity.m_as("GiB") == channels * module


# megahertz, bytes of one access and the cycles that it takes: wait states and one
# (RM0432: five at 120 MHz; RM0456: four at 160 MHz; a quad SPI of four bits at 80 MHz)
FLASH = {
    "ESP32_S3": (80, 0.5, 1),
    "nRF52840": (64, 4, 4),
    "STM32L4R5ZI": (120, 8, 6),
    "STM32U575": (160, 16, 5),
}


@pytest.mark.parametrize("name", FLASH)
def test_flash_gives_a_line_after_its_wait_states(name):
    megahertz, line, cycles = FLASH[name]
    bandwidth = Hardware[name].memory.flash.bandwidth.m_as("MB/s")
    assert bandwidth == pytest.approx(megahertz * line / cycles)


@pytest.mark.parametrize(("name", "cores", "bits", "megahertz"), [("ESP32_S3", 2, 128, 240)])
def test_memory_on_the_chip_answers_every_core_in_every_cycle(name, cores, bits, megahertz):
    bandwidth = Hardware[name].memory.bandwidth.m_as("B/s")
    assert bandwidth == cores * bits / 8 * megahertz * 1e6


# microamperes a megahertz and volts, of code that runs from flash: Nordic's specification as public
# repositories quote it
CURRENT = {"nRF52840": (64, 52, 3)}


@pytest.mark.parametrize("name", CURRENT)
def test_a_small_core_draws_its_current_at_its_clock(name):
    megahertz, microamperes, volts = CURRENT[name]
    milliwatts = megahertz * microamperes * volts / 1000
    assert Hardware[name].tdp.m_as("mW") == pytest.approx(milliwatts, rel=0.01)


# microamperes asleep, and volts: MoleNet V6's chip measured alone (ComNets-Bremen/WUSN on GitHub,
# files/14448364); a deck on the L4R5 after DS12023, in standby (x3beche.github.io/stm32l4r5-deck);
# a chip measured with all its memory kept (devzone.nordicsemi.com, question 55615)
ASLEEP = {"ESP32_S3": (8.2, 3.3), "STM32L4R5ZI": (0.12, 3.3), "nRF52840": (1.766, 3)}


@pytest.mark.parametrize("name", ASLEEP)
def test_a_chip_asleep_draws_about_what_someone_else_measured(name):
    microamperes, volts = ASLEEP[name]
    sleeping = Hardware[name].sleep_power.m_as("uW")
    assert sleeping == pytest.approx(microamperes * volts, rel=0.2)


@pytest.mark.parametrize(("one", "other"), [("STM32U575", "STM32U585")])
def test_a_chip_with_cryptography_is_the_one_without_it_otherwise(one, other):
    one, other = Hardware[one], Hardware[other]
    assert (one.compute, one.memory, one.tdp) == (other.compute, other.memory, other.tdp)


# the reference manual RM0456: four banks, and two kibibytes that a battery keeps
@pytest.mark.parametrize("name", ["STM32U575", "STM32U585"])
def test_banks_of_memory_add_up(name):
    assert Hardware[name].memory.capacity.m_as("KiB") == 192 + 64 + 512 + 16 + 2


@pytest.mark.parametrize("name", ["nRF52840", "STM32L4R5ZI", "STM32U575", "STM32U585"])
def test_a_megahertz_of_a_small_core_takes_some_tens_of_microwatts(name):
    device = Hardware[name]
    megahertz = device.peak("fp32").m_as("MFLOP/s")  # one a cycle
    assert 50 < device.tdp.m_as("uW") / megahertz < 400


# ------------------------------------------------------------------ what things cost


@pytest.mark.parametrize(("name", "thousands"), [("Gaudi2", 65), ("Gaudi3", 125)])
def test_a_board_of_eight_is_sold_for_what_its_maker_said(name, thousands):
    # Computex 2024: y-ic.de on the newer, nextplatform.com on both
    assert 8 * Hardware[name].unit_cost.m_as("USD") == 1000 * thousands


@pytest.mark.parametrize("name", ["DGX_H100"])
def test_a_node_costs_more_than_its_devices_and_not_half_as_much_again(name):
    node = Systems[name]
    devices = node.accelerators * node.accelerator.unit_cost
    assert 1 < (node.unit_cost / devices).m_as("") < 1.5


RENTED = {
    name: Hardware[price.accelerator]
    for name in Infrastructure.Prices
    if (price := Infrastructure.Prices[name]).hourly and Hardware[price.accelerator].unit_cost
}


@pytest.mark.parametrize("name", RENTED, ids=[f"{n} {d.stem}" for n, d in RENTED.items()])
def test_a_device_is_paid_for_by_five_to_fourteen_months_of_rent(name):
    hours = (RENTED[name].unit_cost / Infrastructure.Prices[name].hourly).m_as("hour")
    assert 5 < hours / 730 < 14


@pytest.mark.parametrize("name", [name for name in Hardware.Tiny if Hardware.Tiny[name].unit_cost])
def test_a_microcontroller_costs_some_dollars(name):
    assert 1 < Hardware[name].unit_cost.m_as("USD") < 12
