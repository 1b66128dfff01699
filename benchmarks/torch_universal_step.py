# PyTorch is a peer to measure, not a dependency.
# pyright: reportMissingImports=false
"""The step of `jaxrd.neural.universal` in PyTorch, eager: the same networks, code, losses and optimiser."""

import os
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from torch_step import LeNet, penalised

STAGES, WORDS, WIDTH, LABELLED = 8, 256, 64, 64


def dense(*sizes: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Autoencoder(nn.Module):
    """`UniversalAutoencoder` with `Words` and the dense pair."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = dense(784, 1024, 512, WIDTH), dense(WIDTH, 512, 1024, 784)
        self.mean, self.axes = nn.Parameter(torch.zeros(784)), nn.Parameter(torch.randn(784, WIDTH) / 28)
        self.out_mean, self.out_axes = nn.Parameter(torch.zeros(784)), nn.Parameter(torch.randn(WIDTH, 784) / 28)
        self.words = nn.Parameter(torch.randn(STAGES, WORDS, WIDTH))

    def symbols(self, latent: torch.Tensor) -> torch.Tensor:
        """The greedy words."""
        residual, chosen = latent, []
        for book in self.words:
            best = ((book**2).sum(-1) - 2 * residual @ book.T).argmin(-1)
            residual = residual - book[best]
            chosen.append(best)
        return torch.stack(chosen, -1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: D102
        latent = (x - self.mean) @ self.axes + self.encoder(x)
        with torch.no_grad():
            symbols = self.symbols(latent)
        z = torch.stack([book[symbols[:, k]] for k, book in enumerate(self.words)]).sum(0)
        penalty = 0.25 * ((latent - z.detach()) ** 2).sum(-1) + 0.25 * ((latent.detach() - z) ** 2).sum(-1)
        through = z + latent - latent.detach()
        images = self.out_mean + through @ self.out_axes + self.decoder(through)
        inside = images.clamp(0, 1)
        return inside + 0.02 * (images - inside), penalty


def make_step(*, labels: bool, critic: bool) -> Callable[[torch.Tensor, torch.Tensor], None]:
    """A step on (images, labels), with the classifier's loss and the critic where asked."""
    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model, classifier, judge = Autoencoder(), LeNet().requires_grad_(False), dense(784, 512, 256, 1)
    adam = torch.optim.Adam(model.parameters(), 1e-4, betas=(0.9, 0.99))
    critic_adam = torch.optim.Adam(judge.parameters(), 1e-4, betas=(0.5, 0.9))

    def step(x: torch.Tensor, y: torch.Tensor) -> None:
        adam.zero_grad()
        made, penalty = model(x)
        few = made[:LABELLED]
        loss = ((made - x) ** 2).mean() + penalty.mean() / 784
        if labels:
            loss = loss + 0.01 * functional.cross_entropy(classifier(few), y[:LABELLED])
        if critic:
            loss = loss - 0.001 * judge(few).mean()
        loss.backward()
        adam.step()
        if critic:
            critic_adam.zero_grad()
            penalised(lambda images: judge(images)[:, 0], x[:LABELLED], few.detach()).backward()
            critic_adam.step()

    return step
