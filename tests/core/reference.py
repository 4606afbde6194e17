"""A path as a plain ``torch.nn`` network: one ``nn.Linear`` or ``nn.Conv2d`` a module."""

import torch
from torch import nn

from pathnet_evo.core.genotype import Path
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.kinds import Conv2d
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.stack import Stack


class PlainNetwork(nn.Module):
    """The network that a path stands for, with weights copied out of a pool."""

    def __init__(self, pool: ModulePool, path: Path, head: TaskHead) -> None:
        super().__init__()
        self.mean = pool.aggregate.name == "mean"
        self.layers = nn.ModuleList(
            nn.ModuleList(one_module(stack, m) for m in modules)
            for stack, modules in zip(pool.layers, path, strict=True)
        )
        self.readout = one_module(head.readout, 0)

    def forward(self, x):
        """Layer by layer, module by module."""
        for layer in self.layers:
            outs = []
            for module in layer:
                inputs = x.flatten(1) if isinstance(module, nn.Linear) else x
                outs.append(torch.relu(module(inputs)))
            x = sum(outs[1:], outs[0])
            if self.mean:
                x = x / len(outs)
        return self.readout(x.flatten(1))

    def trainable(self):
        """The parameters that are not frozen."""
        return [p for p in self.parameters() if p.requires_grad]


def one_module(stack: Stack, m: int) -> nn.Module:
    """A module of a stack by itself."""
    weight, bias = (stack.parameters[name][m].detach().clone() for name in ("weight", "bias"))
    kind = stack.kind
    if isinstance(kind, Conv2d):
        made = nn.Conv2d(weight.shape[1], weight.shape[0], kind.kernel, kind.stride, kind.padding)
    else:
        made = nn.Linear(weight.shape[1], weight.shape[0])
    made.weight.data, made.bias.data = weight, bias
    return made.requires_grad_(not bool(stack.frozen[m]))


def assert_same_weights(plain: PlainNetwork, pool: ModulePool, path: Path, head: TaskHead, **close):
    """The pool holds what the plain network learned."""
    for stack, modules, layer in zip(pool.layers, path, plain.layers, strict=True):
        for m, module in zip(modules, layer, strict=True):
            for name, values in module.named_parameters():
                torch.testing.assert_close(stack.parameters[name][m], values.detach(), **close)
    for name, values in plain.readout.named_parameters():
        torch.testing.assert_close(head.readout.parameters[name][0], values.detach(), **close)
