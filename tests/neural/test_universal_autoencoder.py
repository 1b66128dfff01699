"""The universal autoencoder: codes, model, training from random weights, decoders on a frozen encoder."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxrd import neural
from jaxrd.errors import InputError
from jaxrd.neural import Levels, Schedule, UniversalAutoencoder, Weights, Words
from jaxrd.neural.universal import codes, measure, networks
from jaxrd.neural.universal.begin import components

SMALL = partial(neural.dense, hidden=(32,))
QUICK = Schedule(epochs=2, batch=64, rate=2e-3)
LONG = Schedule(epochs=40, batch=64, rate=3e-3)


def sample(count=384, seed=0):
    """Images of 6 x 6 pixels from three hidden coordinates, the signs of two of them as labels."""
    rng = np.random.default_rng(7)
    mix = rng.normal(size=(3, 36))
    hidden = np.random.default_rng(seed).normal(size=(count, 3))
    images = (1 / (1 + np.exp(-1.5 * hidden @ mix))).reshape(-1, 6, 6).astype(np.float32)
    return images, [(hidden[:, k] > 0).astype(int) for k in range(2)]


IMAGES, LABELS = sample()


def reader(k):
    """A fixed classifier of label k: a least-squares line."""
    flat = np.c_[IMAGES.reshape(len(IMAGES), -1), np.ones(len(IMAGES))]
    line = np.linalg.lstsq(flat, 2.0 * LABELS[k] - 1, rcond=None)[0].astype(np.float32)

    def logits(images):
        score = 3 * (images.reshape(len(images), -1) @ line[:-1] + line[-1])
        return jnp.stack([-score, score], -1)

    return logits


READERS = [reader(0), reader(1)]


def entropy_bits(symbols, size):
    shares = np.bincount(symbols, minlength=size) / len(symbols)
    return -(shares[shares > 0] * np.log2(shares[shares > 0])).sum()


def made(shape=(6, 6), *, code=None, noise=0, pair=SMALL):
    rngs = nnx.Rngs(1)
    code = code or Words(2, 4, 3, rngs=rngs)
    encoder, decoder = pair(shape, code.width, noise, rngs=rngs)
    return UniversalAutoencoder(shape, encoder, code, {"one": decoder}, noise={"one": noise})


class TestCodes:
    def test_a_wide_search_finds_the_best_sum(self):
        rng = np.random.default_rng(0)
        words, latent = rng.normal(size=(3, 4, 2)), rng.normal(size=(20, 2))
        sums = np.array([words[0][i] + words[1][j] + words[2][k] for i, j, k in product(range(4), repeat=3)])
        best = ((latent[:, None] - sums) ** 2).sum(-1).min(1)
        errors = []
        for beam in (1, 3, 16):
            found = np.asarray(codes.search(jnp.asarray(latent), jnp.asarray(words), beam))[:, 0]
            z = sum(words[s][found[:, s]] for s in range(3))
            errors.append(((latent - z) ** 2).sum(-1))
        np.testing.assert_allclose(errors[2], best)
        assert errors[0].mean() > errors[1].mean() >= best.mean()

    def test_candidates_of_levels_are_the_nearest(self):
        rng = np.random.default_rng(0)
        latent = jnp.asarray(rng.normal(size=(30, 3)))
        code = Levels(3, 4)
        near = np.asarray(code.candidates(latent, 3))
        np.testing.assert_array_equal(near[:, 0], code.symbols(latent))
        grid = np.array(list(product(range(4), repeat=3)))
        errors = ((np.asarray(code.latents(grid)) - np.tanh(latent)[:, None]) ** 2).sum(-1)
        second = np.sort(errors, 1)[:, 1]
        tried = ((np.asarray(code.latents(near[:, 1])) - np.tanh(latent)) ** 2).sum(-1)
        np.testing.assert_allclose(tried, second, rtol=1e-5)
        assert code.candidates(latent, 99).shape == (30, 4, 3)

    def test_words_have_gradients_to_encoder_and_words(self):
        code = Words(2, 4, 3, rngs=nnx.Rngs(0))
        graph, state = nnx.split(code)
        latent = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)))

        def loss(state, latent):
            z, penalty = nnx.merge(graph, state).straight(latent)
            return z.sum() + penalty.sum()

        at_words, at_latent = jax.grad(loss, (0, 1))(state, latent)
        z = code.latents(code.symbols(latent))
        np.testing.assert_allclose(at_latent, 1 + 0.5 * (latent - z), rtol=1e-5)
        m = np.asarray(code.symbols(latent))
        expected = np.zeros((2, 4, 3))
        for s, i in product(range(2), range(5)):
            expected[s, m[i, s]] += 1 + 0.5 * (z - latent)[i]
        np.testing.assert_allclose(at_words["words"][...], expected, rtol=1e-5, atol=1e-6)

    def test_levels(self):
        code = Levels(2, 5)
        symbols = np.array(list(product(range(5), repeat=2)), np.int32)
        z = np.asarray(code.latents(symbols))
        np.testing.assert_allclose(np.unique(z), np.linspace(-1, 1, 5), atol=1e-7)
        np.testing.assert_array_equal(code.symbols(jnp.arctanh(0.999 * z)), symbols)
        through, penalty = code.straight(jnp.array([[0.3, -9.0]]))
        np.testing.assert_allclose(through, [[0.5, -1.0]])  # tanh .3 = .29
        assert penalty.tolist() == [0.0]
        slope = jax.grad(lambda f: code.straight(f)[0].sum())(jnp.array([[0.3, -9.0]]))
        np.testing.assert_allclose(slope, 1 / np.cosh([[0.3, -9.0]]) ** 2, rtol=1e-3, atol=1e-7)

    def test_a_shared_dither_makes_the_error_uniform_whatever_the_latent(self):
        code, key = Levels(1, 4, dither=1.0), jax.random.key(0)
        u = code.offsets(key, 4000)
        for place in (-0.5, 0.0, 0.31):
            latent = jnp.full((4000, 1), np.arctanh(place))
            error = np.asarray(code.latents(code.symbols(latent, u), u))[:, 0] - place
            assert np.abs(error).max() <= 1 / 3 + 1e-6
            assert abs(error.mean()) < 0.02
            assert error.std() == pytest.approx(2 / 3 / np.sqrt(12), rel=0.05)
        with pytest.raises(InputError, match="shared dither: pass the same key"):
            made(code=Levels(2, 3, dither=0.5)).encode(IMAGES)

    def test_refused(self):
        for make, message in (
            (lambda: Words(0, 4, 3, rngs=nnx.Rngs(0)), "got 0, 4, 3 and 1"),
            (lambda: Words(1, 4, 3, beam=0, rngs=nnx.Rngs(0)), "got 1, 4, 3 and 0"),
            (lambda: Levels(2, 1), "got 2, 1 and 0"),
            (lambda: Levels(2, 3, dither=2.0), "got 2, 3 and 2"),
        ):
            with pytest.raises(InputError, match=message):
                make()


class TestModel:
    @pytest.mark.parametrize(
        ("shape", "pair"),
        [
            ((6, 6), SMALL),
            ((5,), SMALL),
            ((4, 3, 3), SMALL),
            ((6, 5), neural.convolutional),
            ((8, 8, 3), neural.convolutional),
        ],
    )
    def test_any_shape(self, shape, pair):
        model = made(shape, pair=pair)
        symbols = model.encode(jnp.full((7, *shape), 0.5))
        assert symbols.shape == (7, 2)
        assert symbols.dtype == jnp.int32
        images = model.decode(symbols)
        assert images.shape == (7, *shape)
        assert ((images >= 0) & (images <= 1)).all()

    def test_each_image_by_itself(self, monkeypatch):
        """In batches, alone, or traced: the same symbols, the same images."""
        model = made(noise=2)
        neural.universal.begin.begin(model, IMAGES, jax.random.key(0))
        x, key = IMAGES[:10], jax.random.key(3)
        whole = model.encode(x)
        monkeypatch.setattr(neural.universal.model, "BATCH", 4)
        np.testing.assert_array_equal(model.encode(x), whole)
        np.testing.assert_array_equal(jax.jit(model.encode)(x), whole)
        images = model.decode(whole, key=key)
        monkeypatch.undo()
        np.testing.assert_allclose(model.decode(whole, key=key), images, atol=1e-6)

    def test_a_search_sends_what_its_decoder_makes_best(self):
        model = made(code=Words(2, 4, 3, rngs=nnx.Rngs(1)))
        neural.universal.begin.begin(model, IMAGES, jax.random.key(0))
        x = IMAGES[:40]
        plain = ((model.decode(model.encode(x)) - x) ** 2).mean((1, 2))
        model.search_through(neural.universal.model.Search("one", 16))
        symbols = model.encode(x)
        everything = jnp.asarray(list(product(range(4), repeat=2)), jnp.int32)
        images = model.decode(everything)
        errors = ((images[None] - x[:, None]) ** 2).mean((2, 3))
        np.testing.assert_array_equal(symbols, everything[errors.argmin(1)])
        assert errors.min(1).mean() < plain.mean()
        belief = jax.nn.softmax(READERS[0](jnp.asarray(x)))
        scores = jax.nn.log_softmax(READERS[0](images))
        judged = errors + 0.05 * -(belief @ scores.T)
        model.search_through(neural.universal.model.Search("one", 16, (0.05,), (READERS[0],)))
        np.testing.assert_array_equal(model.encode(x), everything[judged.argmin(1)])
        with pytest.raises(InputError, match="no decoder 'two'"):
            model.search_through(neural.universal.model.Search("two"))

    def test_noise_is_of_the_key(self):
        model = made(noise=2)
        symbols = jnp.zeros((6, 2), jnp.int32)
        one, same, other = (model.decode(symbols, key=jax.random.key(k)) for k in (0, 0, 1))
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()
        assert len(np.unique(np.asarray(one).reshape(6, -1), axis=0)) == 6

    def test_refused(self):
        model = made(noise=2)
        symbols, key = np.zeros((3, 2), np.int32), jax.random.key(0)
        for call, message in (
            (lambda: model.encode(np.zeros((3, 6, 5))), r"images must have shape \(n, 6, 6\); got \(3, 6, 5\)"),
            (lambda: model.decode(symbols), "decoder one draws noise: pass a key"),
            (lambda: model.decode(symbols, name="two", key=key), "no decoder 'two'; there are: one"),
            (lambda: model.decode(symbols[:, :1], key=key), r"shape \(n, 2\); got \(3, 1\)"),
            (lambda: model.decode(symbols + 4, key=key), "lie in .* got 4"),
            (lambda: model.decode(symbols * 1.0, key=key), "must be integers; got float64"),
            (lambda: UniversalAutoencoder((6, 6), model.encoder, model.code, {}), "needs a decoder"),
            (
                lambda: UniversalAutoencoder((6, 6), model.encoder, model.code, {"a": model}, {"b": model}),
                "none is named b",
            ),
        ):
            with pytest.raises(InputError, match=message):
                call()

    def test_convolutions_are_convolutions(self):
        """Patches and a matrix product against lax's convolution."""
        x = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
        kernel = np.random.default_rng(1).normal(size=(27, 6)).astype(np.float32)
        expected = jax.lax.conv_general_dilated(
            x, kernel.reshape(3, 3, 3, 6), (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        np.testing.assert_allclose(networks._neighbours(jnp.asarray(x)) @ kernel, expected, atol=1e-4)
        deep = networks._to_depth(jnp.asarray(x[:, :4]))
        np.testing.assert_array_equal(networks._to_space(deep), x[:, :4])


class TestBegin:
    @pytest.mark.parametrize("count", [200, 20])
    def test_components(self, count):
        vectors = IMAGES[:count].reshape(count, -1)
        mean, axes = components(vectors, 5)
        _, _, expected = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
        np.testing.assert_allclose(np.abs((axes * expected[:5].T).sum(0)), 1, atol=1e-3)
        np.testing.assert_allclose(mean, vectors.mean(0), atol=1e-6)

    def test_axes_beyond_the_rank_are_zero(self):
        assert (components(IMAGES[:4].reshape(4, -1), 6)[1][:, 3:] == 0).all()

    def test_words_of_a_mixture(self):
        """Two far groups and, in each, two near ones: the first stage finds the former, the second the latter."""
        rng = np.random.default_rng(0)
        latent = 10.0 * rng.choice([-1, 1], (400, 1)) + rng.choice([-1, 1], (400, 1))
        words = np.asarray(codes.residual_words(jax.random.key(0), jnp.asarray(latent), 2, 2))[..., 0]
        np.testing.assert_allclose(np.sort(words[0]), [-10, 10], atol=0.2)
        np.testing.assert_allclose(np.sort(words[1]), [-1, 1], atol=0.2)


class TestFit:
    @pytest.mark.parametrize("seed", range(3))
    def test_no_symbol_is_lost_from_random_weights(self, seed):
        images, _ = sample(seed=seed)
        found = neural.fit(images, bits=6, networks=SMALL, schedule=QUICK, seed=seed)
        symbols = np.asarray(found.model.encode(images))
        assert found.model.code.sizes == (64,)
        assert entropy_bits(symbols[:, 0], 64) > 5
        deviation = images - images.mean(0)
        assert neural.measure(found.model, images)["mse"] < 0.25 * (deviation**2).mean()

    def test_levels_too(self):
        found = neural.fit(IMAGES, code=Levels(3, 3), networks=SMALL, schedule=QUICK)
        symbols = np.asarray(found.model.encode(IMAGES))
        assert all(entropy_bits(symbols[:, k], 3) > 1 for k in range(3))
        deviation = IMAGES - IMAGES.mean(0)
        assert neural.measure(found.model, IMAGES)["mse"] < 0.4 * (deviation**2).mean()

    def test_each_label_has_its_weight(self):
        run = partial(neural.fit, IMAGES, LABELS, READERS, bits=4, networks=SMALL, schedule=LONG)
        measured = [
            neural.measure(run(weights=Weights(1.0, w)).model, IMAGES, LABELS, READERS)["ce_nats"]
            for w in ((0.0, 0.0), (0.05, 0.0), (0.0, 0.05))
        ]
        assert measured[1][0] < 0.7 * measured[0][0]
        assert measured[2][1] < 0.7 * measured[0][1]

    def test_the_distortion_has_its_weight(self):
        run = partial(neural.fit, IMAGES, LABELS[0], READERS[0], bits=4, networks=SMALL, schedule=QUICK)
        heavy, light = (run(weights=Weights(d, 0.05)).history[-1]["mse"] for d in (100.0, 0.0))
        assert heavy < light

    def test_searched_epochs(self):
        run = partial(neural.fit, IMAGES, bits=4, networks=SMALL)
        plain = run(schedule=Schedule(6, 2e-3, 64)).model
        found = run(schedule=Schedule(6, 2e-3, 64, searched=3, candidates=4)).model
        assert plain.search is None
        assert found.search[:2] == ("conventional", 4)
        assert neural.measure(found, IMAGES)["mse"] < neural.measure(plain, IMAGES)["mse"]
        grown = neural.fit_decoder(found, IMAGES, name="two", networks=SMALL, schedule=QUICK).model
        np.testing.assert_array_equal(grown.encode(IMAGES), found.encode(IMAGES))
        assert neural.tune(found, IMAGES, name="new", networks=SMALL, schedule=QUICK).model.search[:2] == ("new", 4)

    def test_a_universal_decoder_leaves_the_encoder_alone(self):
        first = neural.fit(IMAGES, bits=6, networks=SMALL, schedule=QUICK)
        before = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(first.model)))
        second = neural.fit_decoder(
            first.model, IMAGES, LABELS[0], READERS[0], name="digit", weights=Weights(1.0, 0.05), networks=SMALL,
            schedule=LONG,
        )  # fmt: skip
        after = nnx.to_pure_dict(nnx.state(second.model))
        assert second.model.names == ("conventional", "digit")
        assert first.model.names == ("conventional",)
        jax.tree.map(np.testing.assert_array_equal, before["encoder"], after["encoder"])
        jax.tree.map(np.testing.assert_array_equal, before["code"], after["code"])
        jax.tree.map(
            np.testing.assert_array_equal, before["decoders"]["conventional"], after["decoders"]["conventional"]
        )
        ce = [
            neural.measure(second.model, IMAGES, LABELS[0], READERS[0], name=n)["ce_nats"][0]
            for n in second.model.names
        ]
        assert ce[1] < ce[0]

    def test_a_decoder_may_begin_from_another(self):
        first = neural.fit(IMAGES, bits=4, networks=SMALL, schedule=LONG)
        still = partial(
            neural.fit_decoder, first.model, IMAGES, name="two", networks=SMALL, schedule=Schedule(1, 1e-9, 64)
        )
        symbols = first.model.encode(IMAGES)
        expected = first.model.decode(symbols)
        np.testing.assert_allclose(still(begun="conventional").model.decode(symbols, name="two"), expected, atol=1e-4)
        fresh = still(symbols=symbols).model.decode(symbols, name="two")
        assert np.abs(fresh - expected).max() > 1e-2
        noisy = still(begun="conventional", noise=2).model.decode(symbols, name="two", key=jax.random.key(0))
        np.testing.assert_allclose(noisy, expected, atol=1e-4)
        with pytest.raises(InputError, match="those of the 384 images; got 5"):
            still(symbols=symbols[:5])

    def test_tuning_goes_on_from_a_model(self):
        first = neural.fit(IMAGES, bits=4, networks=SMALL, schedule=LONG)
        go = partial(neural.tune, first.model, IMAGES, LABELS[0], READERS[0], networks=SMALL, name="digit")
        begun = go(weights=Weights(), schedule=Schedule(1, 1e-9, 64))
        before, same = (neural.measure(m, IMAGES)["mse"] for m in (first.model, begun.model))
        assert same == pytest.approx(before, rel=1e-4)
        assert begun.model.names == ("digit",)
        tuned = go(weights=Weights(1.0, 0.05), schedule=LONG)
        ce = [neural.measure(m, IMAGES, LABELS[0], READERS[0])["ce_nats"][0] for m in (first.model, tuned.model)]
        assert ce[1] < 0.7 * ce[0]
        assert first.model.names == ("conventional",)
        assert go(noise=2, schedule=QUICK).model.decoders["digit"].noise == 2

    def test_with_a_critic_the_law_is_near_and_the_error_at_most_doubles(self):
        """Theorem 5's regime: from one bit, the conditional mean at D1; then a sample of p(x | m), at 2 D1 or less."""
        run = partial(
            neural.fit, IMAGES, bits=1, networks=SMALL, noise=3, critic=partial(networks.dense_critic, hidden=(64,)),
            schedule=Schedule(100, 1e-3, 64, 64, critic_rate=1e-3, critic_steps=5),
        )  # fmt: skip
        mean, real = (
            neural.measure(run(weights=Weights(1.0, 0.0, w)).model, IMAGES, key=jax.random.key(0)) for w in (0.0, 0.1)
        )
        assert real["sliced_w2"] < 0.4 * mean["sliced_w2"]
        assert 1.5 * mean["mse"] < real["mse"] <= 2 * mean["mse"]
        assert real["variance"] > 2 * mean["variance"]

    def test_a_killed_run_goes_on_and_another_is_refused(self, tmp_path):
        run = partial(neural.fit, IMAGES, LABELS[0], READERS[0], bits=4, networks=SMALL, schedule=QUICK)
        whole = run(weights=Weights(1.0, 0.01))

        def stop(*_):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(weights=Weights(1.0, 0.01), out=tmp_path, report=stop)
        resumed = run(weights=Weights(1.0, 0.01), out=tmp_path)
        assert resumed.history == whole.history
        jax.tree.map(np.testing.assert_array_equal, nnx.state(resumed.model), nnx.state(whole.model))
        for other, named in (
            ({"weights": Weights(1.0, 0.02)}, "weights"),
            ({"weights": Weights(1.0, 0.01), "seed": 1}, "seed"),
            ({"weights": Weights(1.0, 0.01), "schedule": Schedule(3, 2e-3, 64)}, "schedule"),
            ({"weights": Weights(1.0, 0.01), "networks": partial(neural.dense, hidden=(16,))}, "networks"),
        ):
            with pytest.raises(InputError, match=f"holds another run: it differs in .*{named}"):
                run(out=tmp_path, **other)

    def test_refused(self):
        model = made()
        for call, message in (
            (lambda: neural.fit(IMAGES), "bits or code, not both"),
            (lambda: neural.fit(IMAGES, bits=0.5), "bits must be a number >= 1; got 0.5"),
            (
                lambda: neural.fit(IMAGES[0], bits=2, schedule=Schedule(batch=64)),
                "batch of 64 is more than the 6 images",
            ),
            (lambda: neural.fit(IMAGES[:, 0, 0], bits=2), r"images must have shape .* got \(384,\)"),
            (lambda: neural.fit(IMAGES - 1, bits=2), r"images must lie in \[0, 1\]"),
            (lambda: neural.fit(IMAGES, LABELS[0], bits=2), "1 labels, 0 classifiers"),
            (lambda: neural.fit(IMAGES, LABELS[0][1:], READERS[0], bits=2), "one for each of the 384 images"),
            (lambda: neural.fit(IMAGES, LABELS[0] + 1, READERS[0], bits=2), "classes > 2"),
            (lambda: neural.fit(IMAGES, bits=2, weights=Weights(1.0, 0.1)), "0.1 needs labels and a classifier"),
            (
                lambda: neural.fit(IMAGES, LABELS, READERS, bits=2, weights=Weights(1.0, (0.1,) * 3)),
                "got 3 for 2 labels",
            ),
            (lambda: neural.fit(IMAGES, bits=2, weights=Weights(-1.0)), "finite and >= 0"),
            (
                lambda: neural.fit(IMAGES, bits=2, weights=Weights(wasserstein=0.5), critic=None),
                "weight of 0.5 has no effect without a critic",
            ),
            (
                lambda: neural.fit_decoder(model, IMAGES[:, :5], name="two"),
                r"codes images of shape \(6, 6\); got \(5, 6\)",
            ),
            (lambda: Schedule(epochs=0), "must be positive"),
        ):
            with pytest.raises(InputError, match=message):
                call()

    def test_integers_are_levels_of_255(self):
        pixels = np.round(255 * IMAGES).astype(np.uint8)
        whole, fraction = (
            neural.fit(x, bits=4, networks=SMALL, schedule=QUICK).history for x in (pixels, pixels / np.float32(255))
        )
        assert whole == fraction


def test_coded_bits_are_those_of_the_frequencies():
    symbols = np.array([[0, 1], [0, 0], [1, 1], [0, 1]])
    counts = [np.array([3, 1]), np.array([1, 3])]
    shares = [(3.5 / 5, 1.5 / 5), (1.5 / 5, 3.5 / 5)]
    expected = -np.mean([np.log2(shares[0][a]) + np.log2(shares[1][b]) for a, b in symbols])
    assert measure.coded_bits(symbols, counts) == pytest.approx(expected)
