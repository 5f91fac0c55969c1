from .algorithm.compression import CompressionModel as CompressionModel
from .algorithm.scaling import InferenceScalingModel as InferenceScalingModel
from .algorithm.scaling import ScalingModel as ScalingModel
from .analysis.fleets import FleetSensitivitySolver as FleetSensitivitySolver
from .analysis.sensitivity import SensitivitySolver as SensitivitySolver
from .analysis.sensitivity import SynthesisSolver as SynthesisSolver
from .data.pipeline import DataModel as DataModel
from .data.pipeline import TransformationModel as TransformationModel
from .data.topology import TopologyModel as TopologyModel
from .fleet.distributed import DistributedModel as DistributedModel
from .fleet.parallelism import ParallelismOptimizer as ParallelismOptimizer
from .fleet.reliability import OrchestrationModel as OrchestrationModel
from .fleet.reliability import ReliabilityModel as ReliabilityModel
from .node.batching import BatchingOptimizer as BatchingOptimizer
from .node.batching import ContinuousBatchingModel as ContinuousBatchingModel
from .node.efficiency import EfficiencyModel as EfficiencyModel
from .node.serving import ServingModel as ServingModel
from .node.serving import TailLatencyModel as TailLatencyModel
from .node.single import SingleNodeModel as SingleNodeModel
from .node.streaming import WeightStreamingModel as WeightStreamingModel
from .ops.footprint import EconomicsModel as EconomicsModel
from .ops.footprint import SustainabilityModel as SustainabilityModel
from .ops.placement import PlacementOptimizer as PlacementOptimizer
from .ops.safety import CheckpointModel as CheckpointModel
from .ops.safety import ResponsibleEngineeringModel as ResponsibleEngineeringModel

SOLVERS: list[str]
