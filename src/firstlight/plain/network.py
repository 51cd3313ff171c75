"""The network: several members side by side, each a small multilayer perceptron (step 2)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MemberLinear(nn.Module):
    """A linear layer for each member: (members, rows, inputs) to (members, rows, outputs); random until fitted."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        reach = max(1, inputs) ** -0.5
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-reach, reach))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-reach, reach))

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.baddbmm(self.bias.to(inputs.dtype), inputs, self.weight.to(inputs.dtype))


class Members(nn.Module):
    """Networks side by side over the same features: a (rows, ...) tensor a kind to (members, rows, outputs) float32."""

    def __init__(self, features: nn.ModuleDict, members: int, width: int, layers: int, outputs: int) -> None:
        super().__init__()
        self.features = features
        sizes = [sum(feature.width for feature in features.values())] + [width] * layers  # type: ignore[misc]
        self.hidden = nn.ModuleList(MemberLinear(members, size, width) for size in sizes[:-1])
        self.output = MemberLinear(members, width, outputs)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        features = torch.cat([feature(inputs[name]) for name, feature in self.features.items()], dim=1)
        signal = features.expand(len(self.output.weight), -1, -1)  # every member sees the same features
        for layer in self.hidden:
            signal = F.relu(layer(signal))
        return self.output(signal)  # type: ignore[no-any-return]
