from .core.pipeline import Pipeline as Pipeline
from .core.registry import audit_provenance as audit_provenance
from .core.search import DSE as DSE
from .core.units import Q_ as Q_
from .engine.engine import Engine as Engine
from .evaluation import evaluate as evaluate
from .evaluation.comparing import compare as compare
from .evaluation.comparing import why as why
from .evaluation.desk import plan as plan
from .evaluation.scenarios.registry import Scenarios as Scenarios
from .evaluation.verdict import judge as judge
from .hardware.registry import Hardware as Hardware
from .infrastructure.registry import Infrastructure as Infrastructure
from .literature.registry import Literature as Literature
from .models.registry import Models as Models
from .solvers import *
from .stacks.registry import Stacks as Stacks
from .systems.registry import Systems as Systems
from .systems.types import Fleet as Fleet

Infra = Infrastructure
__version__: str
