# PyTorch is a peer to measure, not a dependency.
# pyright: reportMissingImports=false
"""The same training step in PyTorch, eager, as one would write it there: convolutions where jaxrd has patches."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional

LEVELS = torch.linspace(-1, 1, 3)


class Encoder(nn.Module):
    """`jaxrd.neural.networks.Encoder`: its patches of every second pixel are convolutions of stride 2."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 6, 2), nn.Conv2d(32, 64, 4, 2)
        self.hidden, self.head = nn.Linear(25 * 64, 128), nn.Linear(128, 27)
        self.register_buffer("codes", torch.cartesian_prod(LEVELS, LEVELS, LEVELS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        x = functional.leaky_relu(self.conv1(x.view(-1, 1, 28, 28)))
        x = functional.leaky_relu(self.conv2(x))
        return functional.softmax(self.head(functional.leaky_relu(self.hidden(x.flatten(1)))), -1) @ self.codes


class LeNet(nn.Module):
    """`jaxrd.neural.classifier.LeNet`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 20, 5), nn.Conv2d(20, 50, 5)
        self.hidden, self.head = nn.Linear(800, 200), nn.Linear(200, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        x = (x.view(-1, 1, 28, 28) - 0.1307) / 0.3081
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        return self.head(functional.relu(self.hidden(x.flatten(1))))


def dense(*sizes: int, last: nn.Module | None = None) -> nn.Sequential:
    """Linear layers with leaky ReLU between them."""
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.LeakyReLU()]
    return nn.Sequential(*layers[:-1], *([last] if last else []))


def straight_through(latent: torch.Tensor, sharpness: float = 4.0) -> torch.Tensor:
    """One-hot nearest messages forward, soft backward: `jaxrd.neural.quantizer.straight_through`."""
    shares = functional.softmax(-sharpness * (latent[..., None] - LEVELS) ** 2, -1)
    soft = torch.einsum("bi,bj,bk->bijk", shares[:, 0], shares[:, 1], shares[:, 2]).flatten(1)
    digits = torch.clamp(torch.round(latent + 1), 0, 2).long()
    hard = functional.one_hot(digits @ torch.tensor([9, 3, 1]), 27).float()
    return hard + soft - soft.detach()


def penalised(critic: nn.Module, images: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """The critic's loss with its gradient penalty."""
    place = torch.rand(len(images), 1)
    between = (images + place * (made - images)).requires_grad_()
    (slopes,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    norms = torch.sqrt((slopes**2).sum(-1) + 1e-12)
    return critic(made).mean() - critic(images).mean() + 10 * ((norms - 1) ** 2).mean()


def make_step() -> Callable[[torch.Tensor, torch.Tensor], Any]:
    """A step of generator and critic on (images, labels), networks and optimisers inside."""
    torch.manual_seed(0)
    encoder, decoder = Encoder(), dense(3, 128, 512, 784, last=nn.Sigmoid())
    critic, classifier = dense(784, 256, 128, 1), LeNet().requires_grad_(False)
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-4, betas=(0.5, 0.9))
    critic_adam = torch.optim.Adam(critic.parameters(), 1e-4, betas=(0.5, 0.9))

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        adam.zero_grad()
        made = decoder(encoder.codes)
        squares = (images**2).sum(-1)[:, None] - 2 * images @ made.T + (made**2).sum(-1)
        log_loss = -functional.log_softmax(classifier(made), -1).T[labels]
        costs = squares / 784 + 0.01 * log_loss - 0.001 * critic(made)[:, 0]
        shares = straight_through(encoder(images))
        (shares * costs).sum(-1).mean().backward()
        adam.step()
        critic_adam.zero_grad()
        penalised(critic, images, (shares @ made).detach()).backward()
        critic_adam.step()

    return step


class Lineage(nn.Module):
    """Encoder, decoder and critic of the lineage (universal rate-distortion-perception, NeurIPS 2021), by part."""

    def __init__(self) -> None:
        super().__init__()
        widths, layers = (784, 512, 256, 128, 128), []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.LeakyReLU()]
        self.encoder = nn.Sequential(*layers, nn.Linear(128, 3), nn.Tanh())
        self.decoder = nn.Sequential(
            *(nn.Linear(3, 128), nn.BatchNorm1d(128), nn.LeakyReLU()),
            *(nn.Linear(128, 512), nn.BatchNorm1d(512), nn.LeakyReLU(), nn.Unflatten(1, (32, 4, 4))),
            *(nn.ConvTranspose2d(32, 64, 5, 2, 2), nn.BatchNorm2d(64), nn.LeakyReLU()),
            *(nn.ConvTranspose2d(64, 128, 5, 2, 2, 1), nn.BatchNorm2d(128), nn.LeakyReLU()),
            *(nn.ConvTranspose2d(128, 1, 5, 2, 2, 1), nn.Sigmoid(), nn.Flatten()),
        )
        self.critic = nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            *(nn.Conv2d(1, 64, 5, 2, 2), nn.LeakyReLU()),
            *(nn.Conv2d(64, 128, 5, 2, 2), nn.LeakyReLU()),
            *(nn.Conv2d(128, 256, 5, 2, 2), nn.LeakyReLU(), nn.Flatten(), nn.Linear(256 * 16, 1)),
        )


def make_lineage_step() -> Callable[[torch.Tensor, torch.Tensor], Any]:
    """A step of the lineage's networks: every image decoded with its own dither, then the critic."""
    torch.manual_seed(0)
    nets, classifier = Lineage(), LeNet().requires_grad_(False)
    adam = torch.optim.Adam([*nets.encoder.parameters(), *nets.decoder.parameters()], 1e-4, betas=(0.5, 0.9))
    critic_adam = torch.optim.Adam(nets.critic.parameters(), 1e-4, betas=(0.5, 0.9))

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        adam.zero_grad()
        u = (torch.rand(len(images), 3) - 0.5) / 1
        latent = nets.encoder(images) + u
        soft = functional.softmax(-4 * (latent[..., None] - LEVELS) ** 2, -1) @ LEVELS
        hard = torch.clamp(torch.round(latent), -1, 1)
        made = nets.decoder(hard + soft - soft.detach() - u)
        loss = functional.mse_loss(made, images) + 0.01 * functional.cross_entropy(classifier(made), labels)
        (loss - 0.001 * nets.critic(made).mean()).backward()
        adam.step()
        critic_adam.zero_grad()
        penalised(nets.critic, images, made.detach()).backward()
        critic_adam.step()

    return step


def timed_arguments(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and labels to time a step on."""
    return torch.rand(batch, 784), torch.arange(batch) % 10
