"""The universal autoencoder of [B]: an encoder, a code, decoders by name and their critics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxrd._eager import is_traced
from jaxrd.errors import InputError
from jaxrd.neural.universal.codes import Code, bits_of
from jaxrd.neural.universal.parts import Decoder, Encoder

BATCH = 500
"""Images that a compiled call takes at a time."""


class Search(NamedTuple):
    """Analysis by synthesis: of the symbols near f(x), the encoder sends those of which a decoder makes the best image.

        |x - g(m)|^2 / pixels + sum_k cross_entropy[k] CE(c_k(x), c_k(g(m)))   is least

    The classifiers' beliefs on x itself, not the label, which an encoder does not see. A decoder that draws noise is
    tried with the noise 0.

    Args:
        decoder: name of the decoder it tries them with.
        candidates: how many it tries.
        cross_entropy: weight of each classifier.
        classifiers: images -> logits, fixed.
    """

    decoder: str
    candidates: int = 16
    cross_entropy: tuple[float, ...] = ()
    classifiers: tuple[Callable[[jax.Array], jax.Array], ...] = ()


class UniversalAutoencoder(nnx.Module):
    """One encoder and a product code, with any number of decoders by name: each image is coded by itself.

        encode: x -> m = symbols(f(x)),    decode: m -> g_name(latents(m))

    Time and memory are linear in the bits. `fit` makes and trains one; the networks may be any.

    Args:
        shape: of an image: (h, w), (h, w, c), or (d,) for vectors.
        encoder: network (n, *shape) -> (n, code.width).
        code: `Words` or `Levels`, or what has their methods.
        decoders: networks (n, code.width + noise) -> (n, *shape), by name.
        critics: networks (n, *shape) -> (n,), by the names of decoders.
        noise: coordinates of noise of decoders, by name; 0 where not given.
        search: how the encoder tries symbols, through one of the decoders; None to send the nearest to f(x).

    Raises:
        InputError: no decoder; a critic, noise or a search of no decoder.

    >>> from jaxrd.neural import Words, dense
    >>> rngs = nnx.Rngs(0)
    >>> encoder, decoder = dense((4, 4), 3, hidden=(8,), rngs=rngs)
    >>> model = UniversalAutoencoder((4, 4), encoder, Words(2, 8, 3, rngs=rngs), {"mse": decoder})
    >>> symbols = model.encode(jnp.zeros((5, 4, 4)))
    >>> symbols.shape, model.code.sizes, model.bits, model.decode(symbols, name="mse").shape
    ((5, 2), (8, 8), 6.0, (5, 4, 4))

    Reference: [B] section V.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        encoder: nnx.Module,
        code: Code,
        decoders: Mapping[str, nnx.Module],
        critics: Mapping[str, nnx.Module] | None = None,
        noise: Mapping[str, int] | None = None,
        search: Search | None = None,
    ):
        critics, noise = critics or {}, noise or {}
        if not decoders:
            raise InputError("a universal autoencoder needs a decoder: pass decoders={'mse': network}.")
        if alone := sorted({*critics, *noise} - {*decoders}):
            raise InputError(f"critics and noise belong to decoders; none is named {', '.join(alone)}.")
        self.shape = shape
        self.encoder: Encoder = Encoder(encoder, math.prod(shape), code.width)
        self.code = code
        self.decoders: nnx.Dict[Decoder] = nnx.Dict(
            {name: Decoder(net, shape, code.width, noise.get(name, 0)) for name, net in decoders.items()}
        )
        self.critics: nnx.Dict[nnx.Module] = nnx.Dict(dict(critics))
        self.search: Search | None = None
        self.search_through(search)

    def search_through(self, search: Search | None) -> None:
        """Change how the encoder tries symbols, in place.

        Raises:
            InputError: there is no such decoder, or nothing to try.
        """
        if search is not None:
            self.decoder_named(search.decoder)
            if search.candidates < 1:
                raise InputError(f"a search needs candidates >= 1; got {search.candidates}.")
        self.search = search

    @property
    def bits(self) -> float:
        """log2 of the number of messages: the rate is at most this."""
        return bits_of(self.code)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the decoders, in the order of the alphabet."""
        return tuple(sorted(self.decoders))

    def encode(self, images: jax.Array | np.ndarray, *, key: jax.Array | None = None) -> jax.Array:
        """The symbols of images: int32 of shape (n, places).

        Args:
            images: shape (n, *shape), in [0, 1].
            key: of a dithered code, common to encoder and decoder.

        Raises:
            InputError: images of another shape, a dithered code without a key.
        """
        if np.ndim(images) != 1 + len(self.shape) or np.shape(images)[1:] != self.shape:
            raise InputError(f"images must have shape (n, {', '.join(map(str, self.shape))}); got {np.shape(images)}.")
        return self._batched(_symbols, images, u=self.code.offsets(key, len(images)))

    def decode(
        self, symbols: jax.Array | np.ndarray, *, name: str | None = None, key: jax.Array | None = None
    ) -> jax.Array:
        """The images that a decoder makes of symbols: shape (n, *shape), in [0, 1].

        Args:
            symbols: of `encode`, shape (n, places).
            name: of the decoder; None for the only one.
            key: of the dither, the encoder's, and of the decoder's noise.

        Raises:
            InputError: symbols of another shape or outside the code's sizes, no decoder of that name, several decoders
                and no name, no key where one is needed.
        """
        name = self.decoder_named(name)
        self._check_symbols(symbols)
        u = self.code.offsets(key, len(symbols))
        own = None
        if self.decoders[name].noise:
            if key is None:
                raise InputError(f"decoder {name} draws noise: pass a key.")
            own = jax.random.key_data(jax.random.split(jax.random.fold_in(key, 1), len(symbols)))
        return self._batched(_images_by(name), symbols, u=u, own=own)

    def decoder_named(self, name: str | None) -> str:
        """The name of a decoder, or of the only one.

        Raises:
            InputError: there is none of that name; there are several and none is named.
        """
        if name is None and len(self.names) == 1:
            return self.names[0]
        if name not in self.names:
            said = "several decoders: pass name" if name is None else f"no decoder {name!r}"
            raise InputError(f"{said}; there are: {', '.join(self.names)}.")
        return name

    def _check_symbols(self, symbols: jax.Array | np.ndarray) -> None:
        sizes = np.array(self.code.sizes)
        if np.ndim(symbols) != 2 or np.shape(symbols)[1] != len(sizes):
            raise InputError(f"symbols must have shape (n, {len(sizes)}); got {np.shape(symbols)}.")
        if is_traced(symbols):
            return
        values = np.asarray(symbols)
        if values.dtype.kind not in "iu":
            raise InputError(f"symbols must be integers; got {values.dtype}.")
        if (wrong := (values < 0) | (values >= sizes)).any():
            raise InputError(f"symbols must lie in [0, size) of their place; got {values[wrong][0]}.")

    def _batched(self, step: Callable[..., jax.Array], rows: Any, **beside: Any) -> jax.Array:
        """`step(model, rows, **beside)` in equal, padded batches of one compiled program."""
        graph, state = nnx.split(self)
        rows = jnp.asarray(rows)
        if is_traced(rows, beside, state) or not len(rows):
            return step(self, rows, **beside)
        parts, size = [], min(BATCH, len(rows))
        for start in range(0, len(rows), size):
            some = {k: None if v is None else _padded(v[start : start + size], size) for k, v in beside.items()}
            parts.append(_compiled(step, graph, state, _padded(rows[start : start + size], size), some))
        return jnp.concatenate(parts)[: len(rows)]


def _padded(rows: jax.Array, size: int) -> jax.Array:
    return jnp.pad(rows, [(0, size - len(rows))] + [(0, 0)] * (rows.ndim - 1))


@partial(jax.jit, static_argnums=(0, 1))
def _compiled(step: Callable[..., jax.Array], graph: Any, state: Any, rows: jax.Array, beside: Any) -> jax.Array:
    return step(nnx.merge(graph, state), rows, **beside)


def _symbols(model: UniversalAutoencoder, images: jax.Array, u: jax.Array | None) -> jax.Array:
    latent = model.encoder(images)
    if model.search is None:
        return model.code.symbols(latent, u)
    near = model.code.candidates(latent, model.search.candidates, u)  # (n, candidates, places)
    decoder = model.decoders[model.search.decoder]

    def cost(symbols: jax.Array) -> jax.Array:
        made = jnp.clip(decoder(model.code.latents(symbols, u)), 0, 1)
        total = ((made - images) ** 2).reshape(len(images), -1).mean(-1)
        return total + sum(w * _disagreement(c, images, made) for w, c in _judges(model.search))

    # One candidate of all images at a time: the classifiers' activations are large.
    best = jax.lax.map(cost, near.swapaxes(0, 1)).argmin(0)
    return jnp.take_along_axis(near, best[:, None, None], 1)[:, 0]


def _judges(search: Search | None) -> list[tuple[float, Any]]:
    pairs = [] if search is None else zip(search.cross_entropy, search.classifiers, strict=True)
    return [(weight, classifier) for weight, classifier in pairs if weight > 0]


def _disagreement(classifier: Callable[[jax.Array], jax.Array], images: jax.Array, made: jax.Array) -> jax.Array:
    return -(jax.nn.softmax(classifier(images)) * jax.nn.log_softmax(classifier(made))).sum(-1)


@cache
def _images_by(name: str) -> Callable[..., jax.Array]:
    # One function a name, so that a second call finds the program of the first.
    return partial(_images, name)


def _images(
    name: str, model: UniversalAutoencoder, symbols: jax.Array, u: jax.Array | None, own: jax.Array | None
) -> jax.Array:
    decoder, latent = model.decoders[name], model.code.latents(symbols, u)
    if own is None:
        return jnp.clip(decoder(latent), 0, 1)
    one = jax.vmap(lambda z, key: decoder(z[None], jax.random.wrap_key_data(key))[0])
    return jnp.clip(one(latent, own), 0, 1)
