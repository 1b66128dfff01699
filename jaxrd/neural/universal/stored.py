"""A trained universal autoencoder as a file: networks, code, and the law of its symbols for the range coder."""

from __future__ import annotations

import hashlib
import io
import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from jaxrd.coding.symbols import Law, fit_law
from jaxrd.errors import InputError
from jaxrd.neural.archive import opened, refuse_other_digest, refuse_other_schema
from jaxrd.neural.universal.codes import Code, Levels, Words
from jaxrd.neural.universal.model import Search, UniversalAutoencoder
from jaxrd.neural.universal.networks import ConvDecoder, ConvEncoder, Dense, convolutional, dense

SCHEMA = "jaxrd.universal/1"


class Stored(NamedTuple):
    """What encoder and decoder share.

    Args:
        model: the autoencoder; its critics are not kept.
        law: of its symbols.
    """

    model: UniversalAutoencoder
    law: Law

    def digest(self) -> bytes:
        """Eight bytes that tell encoders, codes and laws apart: a decoder that is added later reads old streams."""
        sha256 = hashlib.sha256(json.dumps(_code_settings(self.model.code)).encode() + self.law.digest())
        for name, leaf in sorted(_named(self.model).items()):
            if name.startswith(("encoder.", "code.")):
                sha256.update(name.encode() + np.ascontiguousarray(leaf, "<f4").tobytes())
        return sha256.digest()[:8]


def with_law(model: UniversalAutoencoder, images: np.ndarray) -> Stored:
    """A model with the law of its symbols on a training sample; of a dithered code, under the dither of seed 0.

    Args:
        model: trained.
        images: shape (count, *model.shape), in [0, 1].
    """
    symbols = np.asarray(model.encode(images, key=jax.random.key(0)))
    return Stored(model, fit_law(symbols, model.code.sizes))


def _named(model: UniversalAutoencoder) -> dict[str, np.ndarray]:
    """The parameters by dotted name, without those of critics."""
    leaves = jax.tree_util.tree_leaves_with_path(nnx.to_pure_dict(nnx.state(model, nnx.Param)))
    named = {".".join(str(k.key) for k in path): np.asarray(leaf) for path, leaf in leaves}
    return {name: leaf for name, leaf in named.items() if not name.startswith("critics.")}


def _code_settings(code: Code) -> dict[str, Any]:
    if isinstance(code, Words):
        return {"kind": "words", "stages": len(code.sizes), "words": code.sizes[0], "width": code.width,
                "beam": code.beam}  # fmt: skip
    if isinstance(code, Levels):
        return {"kind": "levels", "dimensions": code.width, "levels": code.sizes[0], "dither": code.dither}
    raise InputError(f"a file holds Words or Levels; got a code of {type(code).__name__}.")


def _network_settings(network: Any) -> dict[str, Any]:
    if isinstance(network, Dense):
        return {"kind": "dense", "hidden": [layer.out_features for layer in network.layers][:-1]}
    if isinstance(network, ConvEncoder):
        return {"kind": "convolutional", "channels": network.conv1.out_features}
    if isinstance(network, ConvDecoder):
        return {"kind": "convolutional", "channels": network.conv1.in_features // 18}
    raise InputError(
        f"a file holds the networks of jaxrd.neural.dense and convolutional; got {type(network).__name__}. "
        "Keep the parameters of your own with nnx.state."
    )


def to_bytes(stored: Stored) -> bytes:
    """The file's content.

    Raises:
        InputError: networks or a code of the user's own, whose sizes the file could not say.
    """
    model, law = stored
    settings = {
        "shape": list(model.shape),
        "code": _code_settings(model.code),
        "search": model.search and model.search[:2],  # a file holds no classifiers
        "encoder": _network_settings(model.encoder.network),
        "decoders": {
            name: _network_settings(one.network) | {"noise": one.noise} for name, one in model.decoders.items()
        },
    }
    held: dict[str, Any] = {"schema": SCHEMA, "settings": json.dumps(settings), "digest": stored.digest().hex()}
    held |= {"law.parents": np.array(law.parents), "law.strengths": np.array(law.strengths)}
    held |= {f"law.counts.{place}": table for place, table in enumerate(law.counts)}
    held |= {f"model.{name}": leaf for name, leaf in _named(model).items()}
    buffer = io.BytesIO()
    np.savez(buffer, **held)  # parameters do not shrink
    return buffer.getvalue()


def read(path: Path) -> Stored:
    """The model a file holds.

    Args:
        path: of what `to_bytes` made.

    Raises:
        ModelError: it holds no such model, or one whose digest differs from the one stated.
        OSError: there is no such file.
    """
    with opened(path, "universal autoencoder") as held:
        refuse_other_schema(held, SCHEMA)
        law, settings = _law(held), json.loads(str(held["settings"]))
        _refuse_unless_sizes(settings["code"], law.sizes)
        graph, state = nnx.split(nnx.eval_shape(partial(_made, settings)))

        def given(keys: Any, leaf: Any) -> jax.Array:
            values = held["model." + ".".join(str(k.key) for k in keys)]
            return jax.device_put(np.asarray(values, np.float32).reshape(leaf.shape))

        pure = jax.tree_util.tree_map_with_path(given, nnx.to_pure_dict(state))
        nnx.replace_by_pure_dict(state, pure)
        stored = Stored(nnx.merge(graph, state), law)
        named = str(held["digest"])
    refuse_other_digest(path, stored.digest().hex(), named)
    return stored


def _law(held: dict[str, np.ndarray]) -> Law:
    """The law in a file.

    Raises:
        ValueError, KeyError: it is none.
    """
    parents, strengths = held["law.parents"].tolist(), held["law.strengths"].tolist()
    counts = tuple(held[f"law.counts.{place}"] for place in range(len(parents)))
    if not counts or len(strengths) != len(counts):
        raise ValueError(f"a law of {len(counts)} places and {len(strengths)} strengths")
    for place, (parent, strength, table) in enumerate(zip(parents, strengths, counts, strict=True)):
        if type(parent) is not int or not -1 <= parent < place:
            raise ValueError(f"place {place} cannot be given place {parent}")
        if table.ndim != 2 or table.dtype.kind not in "iu" or table.min() < 0 or table.sum() >= 2**53:
            raise ValueError(f"the counts of place {place} are none")
        rows = 1 if parent < 0 else counts[parent].shape[1]
        if len(table) != rows or table.shape[1] < 2 or not (np.isfinite(strength) and strength >= 0):
            raise ValueError(f"the counts of place {place} have shape {table.shape}, its strength is {strength}")
        if parent >= 0 and not strength > 0:
            raise ValueError(f"place {place} has no smoothing")
    return Law(tuple(parents), tuple(strengths), counts)


def _refuse_unless_sizes(code: dict[str, Any], sizes: tuple[int, ...]) -> None:
    """Before anything is made of them: the numbers of a code must be those of its law.

    Raises:
        ValueError, KeyError: they are not.
    """
    places, letters = ("stages", "words") if code["kind"] == "words" else ("dimensions", "levels")
    if len(sizes) != code[places] or set(sizes) != {code[letters]}:
        raise ValueError(f"{code[places]} places of {code[letters]} symbols cannot have a law of sizes {sizes}"[:160])


def _made(settings: dict[str, Any]) -> UniversalAutoencoder:
    """An untrained model of these sizes."""
    rngs = nnx.Rngs(0)
    shape, code = tuple(settings["shape"]), settings["code"]
    if code["kind"] == "words":
        made: Code = Words(code["stages"], code["words"], code["width"], beam=code["beam"], rngs=rngs)
    else:
        made = Levels(code["dimensions"], code["levels"], dither=float(code["dither"]))

    def pair(network: dict[str, Any], mirrored: bool = False) -> tuple[nnx.Module, nnx.Module]:
        noise = network.get("noise", 0)
        if network["kind"] == "dense":
            hidden = network["hidden"][:: -1 if mirrored else 1]
            return dense(shape, made.width, noise, hidden=hidden, rngs=rngs)
        return convolutional(shape, made.width, noise, channels=network["channels"], rngs=rngs)

    decoders = settings["decoders"]
    return UniversalAutoencoder(
        shape,
        pair(settings["encoder"])[0],
        made,
        {name: pair(network, mirrored=True)[1] for name, network in decoders.items()},
        noise={name: network["noise"] for name, network in decoders.items()},
        search=None if settings.get("search") is None else Search(*settings["search"]),
    )
