"""Adam without the compiler that `torch.optim.Adam` imports, for longer than a small fit takes."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

DECAYS = (0.9, 0.999)
"""Of the running means of gradients and of their squares; with EPSILON, those of [1]_."""
EPSILON = 1e-8


class Adam:
    """Adam [1]_ by torch's own fused function: the steps of `torch.optim.Adam`, to the last bit.

    Parameters
    ----------
    tensors : sequence of Tensor
        What is trained; those without a gradient are not moved.
    learning_rate : float
        Length of the first steps, above 0.

    References
    ----------
    .. [1] Kingma & Ba (2015), "Adam: A Method for Stochastic Optimization", ICLR.

    Examples
    --------
    >>> import torch
    >>> tensor = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adam([tensor], learning_rate=0.1)
    >>> tensor.square().sum().backward()
    >>> optimizer.step()
    >>> tensor.detach().numpy().round(3).tolist()
    [0.9, 1.9]
    """

    def __init__(self, tensors: Sequence[Tensor], learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self._states = [
            (
                tensor,
                torch.zeros_like(tensor),
                torch.zeros_like(tensor),
                torch.zeros((), device=tensor.device),
            )
            for tensor in tensors
        ]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for tensor, *_ in self._states:
            tensor.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move what has a gradient against it."""
        moved = [state for state in self._states if state[0].grad is not None]
        if not moved:
            return
        tensors, means, squares, counts = (list(part) for part in zip(*moved, strict=True))
        adam(
            tensors,
            [tensor.grad for tensor in tensors],
            means,
            squares,
            [],
            counts,
            fused=True,
            lr=self.learning_rate,
            beta1=DECAYS[0],
            beta2=DECAYS[1],
            weight_decay=0.0,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )
