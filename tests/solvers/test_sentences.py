"""What answers and refusals say, whole: at each limit once with the sentence and once without."""

from __future__ import annotations

import re

import pytest

from mlsysim import Fleet, Hardware, Infra, Systems, solvers
from mlsysim.core.errors import MLSysError

H100, GB200 = Hardware.Cloud.H100, Systems.Nodes.GB200_NVL72
GRIDS = Infra.Grids
RESEARCH = Systems.Clusters.Research_256
UNPRICED = GRIDS.Poland.replace(electricity_price=None)


def fleet(node, count=1, fabric="InfiniBand_NDR"):
    return Fleet(name="mine", node=node, count=count, fabric=fabric)


def plain(device, count=2):
    return Fleet(name="mine", hw=device, count=count)


fails = solvers.ReliabilityModel().solve
queue = solvers.OrchestrationModel().solve
save = solvers.CheckpointModel().solve
protect = solvers.ResponsibleEngineeringModel().solve
cost = solvers.EconomicsModel().solve
emit = solvers.SustainabilityModel().solve
place = solvers.PlacementOptimizer().solve
feed = solvers.DataModel().solve
transform = solvers.TransformationModel().solve
cross = solvers.TopologyModel().solve
compress = solvers.CompressionModel().solve
scale = solvers.ScalingModel().solve
think = solvers.InferenceScalingModel().solve
answers_to = solvers.SensitivitySolver().solve
build = solvers.SynthesisSolver().solve
train = solvers.DistributedModel().solve
search = solvers.ParallelismOptimizer().solve

EIGHT = {"fleet": fleet("DGX_H100"), "batch_size": 8}
MANY = {"model": "Llama3_8B", "fleet": RESEARCH}
FLAT = {"model": "ResNet50", "fleet": RESEARCH}
NO_LAYERS = "ResNet-50 has no equal layers to divide or compute again; divide its batch."
DAILY = {"fleet": RESEARCH, "job_duration": "8 hour"}  # 32 jobs of eight devices, 96 a day
COPIED = {"storage_bandwidth": "1 GB/s", "asynchronous": True, "snapshot_bandwidth": "7 GB/s"}
SAVED = {"optimal_parameters": 1e9}  # 14 bytes each: 14 s at 1 GB/s, and 2 s at 7 GB/s
FED = {"bytes_per_sample": "3 MB", "samples_per_second": "1000 1/s", "accelerators": 2}


@pytest.mark.parametrize(
    ("ask", "how", "reason"),
    [
        # sqrt(2 x 60 x 100) = 109.54 s of work, saved in 60: 1.0954 e^-6 / (e^1.6954 - 1) is left
        (fails, {"fleet": RESEARCH, "mtbf": "100 s"}, "The fleet fails every 0.02778 h on average, "
         "and checkpoints, lost work and restarts take 99.94 % of the time; write checkpoints "
         "faster or use fewer devices."),
        (queue, DAILY | {"jobs_per_day": 97}, "Jobs arrive at 97 1/d and the fleet finishes 96 1/d "
         "at most: the queue has no end."),
        (queue, DAILY | {"jobs_per_day": 96}, "Jobs arrive at 96 1/d and the fleet finishes 96 1/d "
         "at most: the queue has no end."),
        (queue, DAILY | {"jobs_per_day": 95}, ""),
        (queue, DAILY | {"jobs_per_day": 1, "devices_per_job": 256}, ""),
        (queue, DAILY | {"jobs_per_day": 1, "devices_per_job": 1257}, "A job of 1,257 devices does "
         "not fit a fleet of 256."),
        # 14 s a write: 2 s to copy and 9 s to work, or 12 s
        (save, SAVED | COPIED | {"interval": "9 s"}, "A write takes 14 s and the next one starts "
         "after 0.15 min: storage must take 1.273 GB/s, or the interval must grow."),
        (save, SAVED | COPIED | {"interval": "12 s"}, ""),
        (feed, FED | {"storage_bandwidth": "4 GB/s"}, "The devices ask for 6 GB/s and storage "
         "delivers 4 GB/s: they wait 33% of the time."),
        (feed, FED | {"storage_bandwidth": "6 GB/s"}, ""),
        (transform, {"batch_size": 2, "workers": 3, "step_time": "1 s"}, ""),
        (build, {"model": "Llama3_8B", "target_latency": "30 ms", "dispatch_tax": "40 ms"},
         "The dispatch tax alone takes 40 ms, and the target is 30 ms; no memory and no arithmetic "
         "is fast enough."),
        (build, {"model": "Llama3_8B", "target_latency": "41 ms", "dispatch_tax": "40 ms"}, ""),
        (train, MANY | {"tensor_parallel": 5},
         "32 attention heads cannot be divided among 5 tensor-parallel devices."),
        (train, MANY | {"pipeline_parallel": 64},
         "32 layers are too few for 64 pipeline stages or chunks."),
        (train, MANY | {"pipeline_parallel": 4, "interleave": 9},
         "32 layers are too few for 36 pipeline stages or chunks."),
        (train, MANY | {"tensor_parallel": 4, "pipeline_parallel": 3, "context_parallel": 2},
         "256 devices cannot be divided into groups of 24."),
        (train, MANY | {"expert_parallel": 2},
         "1 experts and 256 replicas cannot both be divided by 2."),
        (train, MANY | {"model": "Mixtral_8x7B", "expert_parallel": 3},
         "8 experts and 256 replicas cannot both be divided by 3."),
        (train, MANY | {"tensor_parallel": 8, "pipeline_parallel": 4, "interleave": 2,
                        "batch_size": 8}, "Interleaved stages take as many microbatches as there "
         "are stages at least, 4; there are 1."),
        (train, MANY | {"tensor_parallel": 8, "pipeline_parallel": 4, "interleave": 2,
                        "batch_size": 32}, ""),
        (train, MANY | {"batch_size": 1000, "microbatch": 2}, "A batch of 1000 cannot be divided "
         "into microbatches of 2 on 256 replicas; use a multiple of 512."),
        (train, MANY | {"batch_size": 8}, "A batch of 8 cannot be divided into microbatches of 1 "
         "on 256 replicas; use a multiple of 256."),
        (train, FLAT | {"tensor_parallel": 2}, NO_LAYERS),
        (train, FLAT | {"pipeline_parallel": 2}, NO_LAYERS),
        (train, FLAT | {"context_parallel": 2}, NO_LAYERS),
        (train, FLAT | {"recompute": "full"}, NO_LAYERS),
        (train, FLAT, ""),
        (train, MANY | {"model": "Llama3_70B"}, "A device needs 1.175 TB and holds 85.52 GB."),
        (search, {"model": "Llama3_405B", "fleet": fleet("DGX_H100", 9)}, "No plan fits: the "
         "leanest needs 94.65 GB on a device that holds 85.52 GB, which is within the model's "
         "error."),
        (search, FLAT | {"batch_size": 3}, "No plan fits: A batch of 3 cannot be divided into "
         "microbatches of 1 on 256 replicas; use a multiple of 256."),
    ],
)  # fmt: skip
def test_what_will_not_do_says_why(ask, how, reason):
    found = ask(**how)
    assert found.reason == reason
    assert found.feasible == (not reason)


GUESS = ("a checkpoint takes more than a tenth of the time between failures: "
         "the best interval, of first order, is then a guess")  # fmt: skip
ALONE = "network, plant, building and staff are not counted: their multiplier is 1"
RENT = "rent: H100 SXM, specialised cloud, on demand, 2026"
MEASURED = (
    "slow-down measured: Rodriguez Beltran et al., Efficient and Scalable Implementation of "
    "Differentially Private Deep Learning without Shortcuts, abstract"
)
BOARDS = "power of 8 x Gaudi 2: its boards' times 1.82, as in a DGX H100"
MADE = ("embodied carbon: An eighth of the baseboard; processors, memory, disks and chassis of "
        "the host come on top.")  # fmt: skip
UNKNOWN = "the embodied carbon of Gaudi 2 is not published"
WIDENED = ("int4 is a format of weights alone: it is widened to fp16 on the way, so bytes shrink "
           "and compute does not")  # fmt: skip
PRUNED = {"model": "Llama3_8B", "hardware": H100, "pattern": "2:4", "sparsity": 0.5}
EXPERTS = (
    "experts get {} times the mean of the tokens at most, and their kernels are launched for "
    "nothing: published runs with many small experts took up to five times as long"
)
GPT2 = {"model": "GPT2"} | EIGHT
OWNED = fleet(GB200.replace(accelerator=GB200.accelerator.replace(unit_cost=None)))


@pytest.mark.parametrize(
    ("ask", "how", "notes"),
    [
        (fails, {"fleet": RESEARCH, "mtbf": "600 s"}, ()),  # a checkpoint takes 60 s
        (fails, {"fleet": RESEARCH, "mtbf": "599 s"}, (GUESS,)),
        (fails, {"fleet": plain(H100)},
         ("the network ports of 8 x H100 SXM: one for each device",)),
        (save, SAVED | {"storage_bandwidth": "1 GB/s", "mtbf": "28 s"}, ()),
        (save, SAVED | {"storage_bandwidth": "1 GB/s", "mtbf": "27 s"},
         ("a save takes over half the time between failures: no interval is good",)),
        (protect, {"epsilon": 1}, (MEASURED,)),
        (protect, {"epsilon": 1, "library": "JAX"},
         ("slow-down measured: the same study, abstract of the ICLR submission",)),
        (protect, {"epsilon": 2, "releases": 3},
         (MEASURED, "the classical bound is proved for epsilon up to 1; above, use the composed",
          "no credit for sampling, which allows less noise: give a dataset_size")),
        (protect, {"epsilon": 1, "releases": 3, "batch_size": 7, "dataset_size": 7}, (MEASURED,)),
        (cost, {"fleet": RESEARCH, "duration_days": 30}, (ALONE, RENT)),
        (cost, {"fleet": RESEARCH, "duration_days": 30, "infrastructure_multiplier": 1.01,
                "rental_price": "1 USD/hour"}, ()),
        (cost, {"fleet": plain(Hardware.Gaudi2), "duration_days": 30},
         ("price of 8 x Gaudi 2: its accelerators' alone; the host comes on top", ALONE, BOARDS)),
        (cost, {"fleet": OWNED, "duration_days": 30},
         ("the accelerators of GB200 NVL72 rack have no price of their own: hosts count", ALONE)),
        (emit, {"fleet": RESEARCH, "duration_days": 365.25, "datacenter": GRIDS.Quebec,
                "lifetime_years": 1}, (MADE,)),
        (emit, {"fleet": RESEARCH, "duration_days": 365.26, "datacenter": GRIDS.Quebec,
                "lifetime_years": 1},
         (MADE, "the duration exceeds the lifetime: devices are made again")),
        (emit, {"fleet": plain(Hardware.Gaudi2), "duration_days": 30, "datacenter": GRIDS.Quebec},
         (BOARDS, UNKNOWN)),
        (place, {"fleet": RESEARCH, "duration_days": 30, "regions": ["Quebec", "Poland"]}, ()),
        (place, {"fleet": RESEARCH, "duration_days": 30,
                 "regions": ["Quebec", GRIDS.Virginia.replace(other_intensity=None)]},
         ("lifecycle and direct intensities are mixed",)),
        (transform, {"batch_size": 2, "workers": 3, "step_time": "1 s"},
         ("worker_rate is FFCV JPEG loading, images a second a virtual CPU",)),
        (transform, {"batch_size": 2, "workers": 3, "step_time": "1 s", "worker_rate": "5 1/s"},
         ()),
        (compress, {"model": "Llama3_8B", "hardware": H100}, (WIDENED,)),
        (compress, PRUNED | {"precision": "fp16"},
         ("no sparse datapath is assumed; give sparse_speedup where there is one",)),
        (compress, PRUNED | {"sparse_speedup": 1.5}, (WIDENED,)),
        (think, {"model": "Llama3_8B", "hardware": H100}, ()),
        (think, {"model": "Llama3_8B", "hardware": H100.replace(unit_cost=None)},
         ("H100 SXM has no known unit_cost: give unit_cost to price the fleet",)),
        (think, {"model": "Llama3_8B", "hardware": H100.replace(tdp=None)},
         ("H100 SXM has no known power: give power to price the fleet",)),
        (train, {"fleet": RESEARCH, "optimal_parameters": 1e9},
         ("only the number of parameters is known: activations are not counted",)),
        (train, GPT2 | {"seq_len": 1024}, ()),
        (train, GPT2 | {"seq_len": 1025},
         ("1,025 tokens are more than the 1,024 that the model takes",)),
        (train, GPT2 | {"fleet": fleet("DGX_H100", 4, "InfiniBand_XDR"), "batch_size": 32},
         ("the nodes' ports, 400 Gbps, cap the fabric's 800 Gbps",)),
        (train, GPT2 | {"fleet": fleet("DGX_H100", 4, "InfiniBand_HDR"), "batch_size": 32},
         ("the fabric, 200 Gbps, caps the nodes' ports, 400 Gbps",)),
        (train, GPT2 | {"fleet": fleet("DGX_H100", 4), "batch_size": 32}, ()),
        (train, GPT2 | {"fleet": plain(H100).replace(fabric="InfiniBand_NDR"), "batch_size": 32},
         ("the node's ports are unknown: one port of the fabric for each device",)),
        (train, GPT2 | {"fleet": plain(H100, 1)}, ()),
        (train, GPT2 | {"flash_attention": False},
         ("attention scores are kept at 2 bytes each; a model with dropout keeps 5, and more of "
          "what was measured without flash attention",)),
        (train, EIGHT | {"model": "Mixtral_8x7B"}, (EXPERTS.format(1),)),
        (train, EIGHT | {"model": "Mixtral_8x7B", "imbalance": 1.5}, (EXPERTS.format(1.5),)),
        (train, GPT2 | {"fleet": fleet("DGX_A100"), "precision": "fp8"},
         ("fp8 runs at the fp16 datapath",)),
        (train, GPT2 | {"fleet": fleet("DGX_V100"), "stack": "ideal"},
         ("efficiency 0.5: a teaching value, as none was found for fp16 here",)),
        (train, GPT2 | {"stack": "ideal"},
         ("efficiency 0.55: MosaicML llm-foundry, benchmarking README, 0.4125 without what is "
          "computed again, times 4/3",)),
    ],
)  # fmt: skip
def test_what_an_answer_leaves_out_is_noted(ask, how, notes):
    assert ask(**how).notes == notes


def test_rent_or_buy_in_a_sentence():
    # 256 devices for 720 hours at 3.20 and at 1 USD
    cheap, dear = (
        cost(RESEARCH, 30, infrastructure_multiplier=k, rental_price=f"{price} USD/hour")
        for k, price in ((1, 3.20), (2.5, 1))
    )
    assert cheap.rent_or_buy == (
        "Rented around the clock they cost 589,824 USD, owned 279,821 USD: "
        "owning is cheaper from 47% of the hours in use on."
    )
    assert dear.rent_or_buy == (
        "Rented around the clock they cost 184,320 USD, owned 542,654 USD: "
        "renting is cheaper even around the clock."
    )


@pytest.mark.parametrize(
    ("how", "method"),
    [
        ({}, "hard roofline, central difference in the logarithm"),
        ({"smooth": True, "sharpness": 2.5, "forward": True},
         "smooth roofline, sharpness 2.5, forward difference"),
    ],
)  # fmt: skip
def test_how_a_slope_was_found(how, method):
    assert answers_to("Llama3_8B", H100, **how).method == method


TOGETHER = "give step_time and batch_size together, or neither."
BESIDE = "give bytes_per_sample and storage_bandwidth together, or neither."
STEP = "give either step_time, or both model and hardware."
STORAGE = "give storage_bandwidth='200 GB/s', that of the whole storage system."
SEVERAL = "give one number: several would be several rankings."
PREPARED = {"batch_size": 2, "workers": 3}
BUDGETS = {"fleet": RESEARCH, "duration_days": 30}
ONE_OF = "give one of samples_per_second, profile, or step_time with batch_size."


@pytest.mark.parametrize(
    ("ask", "how", "words"),
    [
        (save, {"storage_bandwidth": "1 GB/s", "interval": "1 hour"},
         "the run has no known model: give one, or optimal_parameters=7e9."),
        (save, SAVED, f"the run has no known storage_bandwidth: {STORAGE}"),
        (save, SAVED | {"fleet": fleet("DGX_B200")},
         f"mine has no known node.storage.bandwidth: {STORAGE}"),
        (save, SAVED | {"storage_bandwidth": "1 GB/s"},
         "the run has no known mtbf: give mtbf='20 hour', or interval='1 hour'."),
        (save, SAVED | {"storage_bandwidth": "1 GB/s", "asynchronous": True},
         "the run has no known snapshot_bandwidth: give snapshot_bandwidth='10 TB/s', at which "
         "state leaves the accelerators together."),
        (protect, {"epsilon": 1, "dataset_size": 10_000},
         "DP-SGD has no known batch_size: give batch_size=256, drawn from dataset_size."),
        (protect, {"epsilon": 1, "dataset_size": 10_000, "batch_size": 10_001},
         "batch_size cannot be 10001.0: give at most dataset_size 10,000."),
        (protect, {"epsilon": 1, "delta": 1.0},
         "delta cannot be 1.0: give a number above 0 and below 1."),
        (protect, {"epsilon": 1, "confidence": 1.0},
         "confidence cannot be 1.0: give a number above 0 and below 1."),
        (cost, {"fleet": plain(H100.replace(tdp=None)), "duration_days": 30}, "H100 SXM has no "
         "known tdp: give one, as in replace(tdp='700 W'), or give 8 x H100 SXM its power."),
        (cost, {"fleet": plain(H100.replace(unit_cost=None)), "duration_days": 30}, "H100 SXM has "
         "no known unit_cost: an unknown price is not 0; give one, as in "
         "replace(unit_cost='30000 USD')."),
        (cost, BUDGETS | {"datacenter": UNPRICED}, "Poland has no known electricity_price: give "
         "one, as in electricity_price='0.10 USD/kWh'."),
        (place, BUDGETS | {"objective": "cost", "regions": [UNPRICED]},
         "Poland has no known electricity_price: give one, or rank by carbon."),
        (place, BUDGETS | {"regions": []},
         "regions cannot be []: give at least one grid or its name."),
        (place, BUDGETS | {"regions": [42]},
         "regions cannot be 42: give grids or their names, such as 'Quebec'."),
        (place, BUDGETS | {"pue": [1.25, 1.5]}, f"pue cannot be [1.25 1.5 ]: {SEVERAL}"),
        (feed, {"bytes_per_sample": "3 MB"}, f"samples_per_second cannot be None: {ONE_OF}"),
        (feed, FED | {"step_time": "1 s", "batch_size": 3},
         f"samples_per_second cannot be 1000.0: {ONE_OF}"),
        (feed, {"bytes_per_sample": "3 MB", "step_time": "1 s"},
         f"batch_size cannot be None: {TOGETHER}"),
        (feed, FED | {"batch_size": 3}, f"batch_size cannot be 3.0: {TOGETHER}"),
        (feed, FED, "the question has no known storage.bandwidth: give storage_bandwidth, such as "
         "'2 GB/s'."),
        (feed, FED | {"node": "DGX_B200"}, "DGX B200 has no known storage.bandwidth: give "
         "storage_bandwidth, such as '2 GB/s'."),
        (transform, PREPARED, f"step_time cannot be None: {STEP}"),
        (transform, PREPARED | {"model": "ResNet50"}, f"step_time cannot be None: {STEP}"),
        (transform, PREPARED | {"step_time": "1 s", "hardware": "H100"},
         f"step_time cannot be 1.0: {STEP}"),
        (transform, PREPARED | {"step_time": "1 s", "model": "ResNet50", "hardware": "H100"},
         f"step_time cannot be 1.0: {STEP}"),
        (transform, PREPARED | {"model": "GPT2", "hardware": "H100"}, "GPT-2 (124M) has no known "
         "worker_rate: the measured default is for JPEG images; give worker_rate."),
        (transform, PREPARED | {"step_time": "1 s", "bytes_per_sample": "1 MB"},
         f"storage_bandwidth cannot be None: {BESIDE}"),
        (transform, PREPARED | {"step_time": "1 s", "storage_bandwidth": "1 MB/s"},
         f"storage_bandwidth cannot be 1000000.0: {BESIDE}"),
        (cross, {}, "bandwidth cannot be None: give a fleet, a fabric, or one link's bandwidth."),
        (cross, {"bandwidth": "3 GB/s"},
         "topology cannot be None: give one, such as 'fat_tree', or a fabric."),
        (cross, {"bandwidth": "3 GB/s", "topology": "ring"},
         "nodes cannot be None: a larger ring is slower; give its number of nodes."),
        (cross, {"fleet": plain(H100)}, "mine has no known fabric: give fabric, such as "
         "mlsysim.Systems.Fabrics.InfiniBand_NDR."),
        (compress, PRUNED | {"sparsity": 0.4},
         "sparsity cannot be 0.4: 2:4 keeps two weights of each four; give 0.5."),
        (compress, PRUNED | {"pattern": "structured", "sparse_speedup": 1.5}, "sparse_speedup "
         "cannot be 1.5: sparse datapaths run the 2:4 pattern only; give pattern='2:4', or leave "
         "it out."),
        (scale, {"compute_budget": "1e20 FLOP", "parameters": 1e9, "tokens": 2e9}, "tokens cannot "
         "be 2000000000.0: one follows from the other; leave one out, or ask "
         "ScalingModel().budget."),
        (train, {"fleet": RESEARCH}, "DistributedModel has no known model: give model=..., or "
         "optimal_parameters=... as ScalingModel finds them."),
        (train, {"fleet": RESEARCH, "optimal_parameters": 1e9, "context_parallel": 2},
         "DistributedModel has no known model: give model=..., whose layers the plan can divide."),
        (train, {"fleet": plain(H100), "model": "GPT2"}, "mine has no known fabric.bandwidth: "
         "give the fabric between the nodes, such as Systems.Fabrics.InfiniBand_NDR."),
        (train, {"fleet": plain(Hardware.STM32L4R5ZI, 1), "model": "TinyResNet",
                 "precision": "fp32"}, "mine has no known node.interconnect.bandwidth: give the "
         "rate at which devices in one node talk, to know what a collective takes."),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_would_do(ask, how, words):
    with pytest.raises(MLSysError, match=f"^{re.escape(words)}$"):
        ask(**how)
