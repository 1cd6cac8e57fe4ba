"""Each session's share of the parameters that hold those of all sessions, as parameters of their own for an optimiser.

An optimiser leaves a parameter without a gradient as it is. With parameters for each session, those of a session that is not
in a batch keep their weights, their moments and their number of steps.
"""

from collections.abc import Iterable, Sequence

from torch import nn

from neds.model.network import NEDS
from neds.model.ragged import RaggedLinear


class SessionParameters:
    """The parameters of a network's stitchers, cut by session; they share its memory.

    Attributes:
        by_name: of each parameter of the stitchers, by its name in the network, that of every session.
    """

    def __init__(self, network: NEDS):
        """
        Args:
            network: on the device that it stays on.
        """
        self._network = network
        self._places: dict[str, Sequence[slice | int]] = {}
        sessions = range(len(network.session_shapes))
        for prefix, module in network.stitchers.named_modules(prefix="stitchers"):
            for name, _ in module.named_parameters(recurse=False):
                self._places[f"{prefix}.{name}"] = module.slices(name) if isinstance(module, RaggedLinear) else sessions
        self.by_name = {
            name: [nn.Parameter(network.get_parameter(name).detach()[place]) for place in places]
            for name, places in self._places.items()
        }

    def take_gradients(self, present: Iterable[int]) -> None:
        """Give the parameters of the sessions that are present the network's gradients; a step leaves all without any."""
        present = list(present)
        for name, places in self._places.items():
            gradient, own = self._network.get_parameter(name).grad, self.by_name[name]
            for session in present:
                own[session].grad = None if gradient is None else gradient[places[session]]
