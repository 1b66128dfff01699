"""The autoencoder: quantiser, losses, steps, evaluation, warm start."""

import signal
from contextlib import contextmanager
from dataclasses import replace
from itertools import permutations, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import CODE, batch, logits

from jaxrd.errors import InputError
from jaxrd.neural import losses, quantizer, train, warm
from jaxrd.neural.evaluate import evaluate, transmit
from jaxrd.neural.losses import Weights
from jaxrd.neural.sliced import sliced_w2
from jaxrd.neural.train import ADAM, Code, Objective, Stage, decode, encode, initial, moved, step


@contextmanager
def deadline(seconds):
    """What has not ended by then raises."""

    def late(*_):
        raise TimeoutError(f"not done in {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def state():
    return initial(CODE, 0)


class TestQuantizer:
    @pytest.mark.parametrize(("h", "levels"), [(1, 2), (3, 3), (2, 4)])
    def test_codes_are_their_own_messages(self, h, levels):
        codes = quantizer.codes(h, levels)
        assert codes.shape == (levels**h, h)
        np.testing.assert_array_equal(quantizer.nearest_messages(codes, levels), np.arange(levels**h))
        expected = list(product(np.linspace(-1, 1, levels), repeat=h))
        np.testing.assert_allclose(codes, expected)

    @pytest.mark.parametrize(("h", "levels"), [(1, 2), (3, 3), (2, 5)])
    def test_shared_dither_is_taken_back_exactly(self, h, levels):
        u = quantizer.dither(jax.random.key(7), h, levels, 1.0)
        half = 1 / (levels - 1)
        assert (jnp.abs(u) <= half).all()
        codes = quantizer.codes(h, levels)
        # A code that arrives dithered by less than half a cell is still itself.
        np.testing.assert_array_equal(quantizer.nearest_messages(codes + 0.999 * u, levels), np.arange(len(codes)))

    def test_no_width_is_no_dither(self):
        np.testing.assert_array_equal(quantizer.dither(jax.random.key(0), 3, 3, 0.0), np.zeros(3))

    @pytest.mark.parametrize(("h", "levels", "sharpness"), [(1, 4, 0.1), (2, 3, 4.0), (3, 3, 30.0)])
    def test_soft_messages_are_products(self, h, levels, sharpness):
        latent = np.random.default_rng(h).uniform(-1.5, 1.5, (50, h))
        soft = np.asarray(quantizer.soft_messages(jnp.asarray(latent), levels, sharpness))
        for row, x in zip(soft, latent, strict=True):
            # exp of a sum over coordinates, normalised once: the product of softmaxes
            cells = (np.asarray(quantizer.codes(h, levels)) - x) * (levels - 1) / 2
            weight = np.exp(-sharpness * (cells**2).sum(-1))
            np.testing.assert_allclose(row, weight / weight.sum(), atol=1e-12)
        np.testing.assert_array_equal(soft.argmax(-1), quantizer.nearest_messages(jnp.asarray(latent), levels))

    def test_straight_through(self):
        latent = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (5, 2)))
        costs = jnp.asarray(np.random.default_rng(1).normal(size=(5, 9)))
        hard = quantizer.straight_through(latent, 3, 4.0)
        np.testing.assert_allclose(hard, np.eye(9)[quantizer.nearest_messages(latent, 3)], atol=1e-15)
        through = jax.grad(lambda f: (quantizer.straight_through(f, 3, 4.0) * costs).sum())(latent)
        soft = jax.grad(lambda f: (quantizer.soft_messages(f, 3, 4.0) * costs).sum())(latent)
        np.testing.assert_allclose(through, soft, atol=1e-14)


class TestLosses:
    def arrays(self, seed=0, n=6, messages=4):
        rng = np.random.default_rng(seed)
        x, r = rng.random((n, 784)), rng.random((messages, 784))
        return x, rng.integers(0, 10, n), r, rng.normal(size=(messages, 10)), rng.normal(size=messages)

    def test_sixteen_by_hand(self):
        x, s, r, scores, critic = self.arrays()
        sent = np.array([0, 3, 1, 1, 2, 0])
        shares = np.eye(4)[sent]
        terms = losses.mean_terms(
            jnp.asarray(shares), losses.letter_terms(*map(jnp.asarray, (x, s, r, scores, critic)))
        )
        log_loss = [np.log(np.exp(scores[j]).sum()) - scores[j, y] for j, y in zip(sent, s, strict=True)]
        np.testing.assert_allclose(terms.mse, np.mean((x - r[sent]) ** 2), rtol=1e-12)
        np.testing.assert_allclose(terms.cross_entropy, np.mean(log_loss), rtol=1e-12)
        np.testing.assert_allclose(terms.wasserstein, -critic[sent].mean(), rtol=1e-12)
        total = terms.total(Weights(2.0, 0.5, 0.25))
        np.testing.assert_allclose(total, 2 * terms[0] + 0.5 * terms[1] + 0.25 * terms[2])

    @given(seed=st.integers(0, 10**6), temperature=st.floats(1e-3, 10))
    @settings(max_examples=30)
    def test_free_energy_lies_below_the_mean(self, seed, temperature):
        rng = np.random.default_rng(seed)
        soft, costs = rng.dirichlet(np.ones(5), 7), rng.exponential(size=(7, 5))
        mean = (soft * (costs - costs.min(-1, keepdims=True))).sum(-1).mean()
        found = float(losses.free_energy(jnp.asarray(soft), jnp.asarray(costs), temperature))
        assert 0 <= found <= mean + 1e-12  # Jensen

    def test_free_energy_far_off_keeps_a_gradient(self):
        costs = jnp.array([[0.05, 0.0, 0.05]])

        def pull(loss):
            return abs(float(jax.grad(lambda f: loss(quantizer.soft_messages(f, 3, 8.0)))(jnp.array([[-1.0]]))[0, 0]))

        expected = pull(lambda soft: (soft * costs).sum())
        assert pull(lambda soft: losses.free_energy(soft, costs, 0.003)) > 10 * expected

    def test_a_linear_critic(self):
        rng = np.random.default_rng(0)
        x, r, w = rng.random((5, 784)), rng.random((5, 784)), rng.normal(size=784)
        found = losses.critic_loss(lambda y: y @ w, jax.random.key(0), jnp.asarray(x), jnp.asarray(r), penalty=7.0)
        expected = (r - x).mean(0) @ w + 7 * (np.linalg.norm(w) - 1) ** 2
        np.testing.assert_allclose(found, expected, rtol=1e-9)

    def test_the_penalty_stands_between_images_and_reproductions(self):
        """Of a critic |y|^2 / 2, whose gradient is y: the norm at the very places drawn between the two."""
        rng = np.random.default_rng(1)
        x, r, key = rng.random((5, 784)), rng.random((5, 784)), jax.random.key(3)
        found = losses.critic_loss(lambda y: (y**2).sum(-1) / 2, key, jnp.asarray(x), jnp.asarray(r), penalty=7.0)
        place = np.asarray(jax.random.uniform(key, (5, 1), float))
        assert np.ptp(place) > 0.1
        norm = np.linalg.norm((1 - place) * x + place * r, axis=1)
        expected = ((r**2).sum(1) - (x**2).sum(1)).mean() / 2 + 7 * ((norm - 1) ** 2).mean()
        np.testing.assert_allclose(found, expected, rtol=1e-9)


class TestStep:
    def stepped(self, state, stage, weights):
        x, y = batch()
        run = jax.jit(
            lambda state, weights: step(Objective(CODE, logits, x, y, weights), stage, state, jnp.full(2, 1e-3))
        )
        return run(state, weights)

    def changed(self, before, after):
        same = jax.tree.map(lambda a, b: bool((a == b).all()), before.parameters, after.parameters)
        return {name for name, leaves in same.items() if not all(jax.tree.leaves(leaves))}

    def test_what_is_frozen_stays_bit_for_bit(self, state):
        universal, _ = self.stepped(state, Stage(trained=("decoder",)), Weights(1.0, 0.01, 0.01))
        assert self.changed(state, universal) == {"decoder", "critic"}

    def test_the_value_is_that_of_the_hard_code(self, state):
        after, terms = self.stepped(state, Stage(trained=("encoder",), adversarial=False), Weights(1.0, 0.01))
        assert self.changed(state, after) == {"encoder"}
        x, y = batch()
        _, r = transmit(CODE, state.parameters, jax.random.key(0), x)
        np.testing.assert_allclose(terms.mse, ((x - r) ** 2).mean(), rtol=1e-5)
        scores = jax.nn.log_softmax(logits(r))
        np.testing.assert_allclose(terms.cross_entropy, -scores[jnp.arange(64), y].mean(), rtol=1e-5)

    def test_the_dither_and_the_critic_of_a_step(self, monkeypatch):
        """One step of linear networks, in numpy: the encoder sees the dither added, the decoder subtracted, and the
        critic descends its own loss of images and what was sent, at the networks before the step."""
        for name, made in (
            ("encode", lambda code, p, x: x[:, :3] @ p["encoder"]),
            ("decode", lambda code, p, z: jnp.pad(z @ p["decoder"], ((0, 0), (0, 781)))),
            ("criticise", lambda code, p, x: (x**2) @ p["critic"]),
        ):
            monkeypatch.setattr(train, name, made)
        rng = np.random.default_rng(0)
        parts = {"encoder": rng.normal(size=(3, 3)), "decoder": rng.normal(size=(3, 3)), "critic": rng.normal(size=784)}
        parts = {name: jnp.asarray(part, jnp.float32) for name, part in parts.items()}
        before = train.restarted(train.State(parts, {}, jax.random.key(4)))
        code, (x, y) = Code(dither=1.0), batch()
        objective = Objective(code, logits, x, y, Weights(1.0, 0.01, 0.01))
        run = jax.jit(lambda state: step(objective, Stage(), state, jnp.full(2, 1e-3)))
        after, terms = run(before)

        _, dither_key, _, critic_key = jax.random.split(before.key, 4)
        u = np.asarray(quantizer.dither(dither_key, 3, 3, 1.0))
        assert np.abs(u).max() > 0.1
        messages = quantizer.nearest_messages(x[:, :3] @ parts["encoder"] + u, 3)
        r = np.zeros((64, 784), np.float32)
        r[:, :3] = (np.asarray(quantizer.codes(3, 3))[messages] - u) @ np.asarray(parts["decoder"])
        np.testing.assert_allclose(terms.mse, ((x - r) ** 2).mean(), rtol=1e-5)
        np.testing.assert_allclose(terms.wasserstein, -((r**2) @ parts["critic"]).mean(), rtol=1e-4)

        def loss(critic):
            return losses.critic_loss(lambda z: (z**2) @ critic, critic_key, x, jnp.asarray(r))

        updates, moments = ADAM.update(jax.jit(jax.grad(loss))(parts["critic"]), before.moments["critic"])
        # Adam's first step is little more than the sign of the gradient: the moments tell its size.
        np.testing.assert_allclose(after.moments["critic"].mu, moments.mu, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(after.parameters["critic"], parts["critic"] - 1e-3 * updates, atol=2e-6)
        assert self.changed(before, after) == {"encoder", "decoder", "critic"}

    def test_a_weight_without_a_critic_is_refused(self, state):
        x, y = batch()
        objective = Objective(CODE, logits, x, y, Weights(wasserstein=5.0))
        with pytest.raises(InputError, match="a Wasserstein weight of 5 has no effect without a critic"):
            step(objective, Stage(adversarial=False), state, jnp.full(2, 1e-3))

    @pytest.mark.parametrize("dither", [0.0, 0.5])
    def test_letters_that_no_step_changes_are_those_of_each_step(self, state, dither):
        x, y = batch()
        objective = Objective(replace(CODE, dither=dither), logits, x, y, Weights(1.0, 0.01))
        stage, rates = Stage(("encoder",), adversarial=False, batch=16), jnp.full((4, 2), 1e-3)

        @jax.jit
        def one_by_one(state):
            key, order_key = jax.random.split(state.key)
            order = jax.random.permutation(order_key, 64).reshape(4, 16)

            def one(state, inputs):
                return step(objective.batch(inputs[0]), stage, state, inputs[1])

            return jax.lax.scan(one, state._replace(key=key), (order, rates))[0]

        together, _ = jax.jit(lambda state: train.epoch(objective, stage, state, rates))(state)
        expected = one_by_one(state)
        assert self.changed(state, together) == {"encoder"}
        for found, leaf in zip(*map(jax.tree.leaves, (together.parameters, expected.parameters)), strict=True):
            np.testing.assert_allclose(found, leaf, rtol=1e-5, atol=2e-6)

    @pytest.mark.slow
    def test_the_encoder_learns_a_codebook(self, state):
        x, y = batch()
        weights, stage = Weights(1.0, 0.01), Stage(("encoder",), adversarial=False, temperature=0.01)
        taught = warm.teach(CODE, state, x[:27], steps=300)

        @jax.jit
        def run(state):
            def one(state, _):
                return step(Objective(CODE, logits, x, y, weights), stage, state, jnp.full(2, 2e-3))

            return jax.lax.scan(one, state, None, length=60)[1]

        loss = run(taught).total(weights)
        assert loss[-1] < 0.5 * loss[0]

    def test_moved_keeps_the_pixels(self):
        x, _ = batch()
        there = moved(jax.random.key(3), x, 2)
        np.testing.assert_allclose(there.sum(-1), x.sum(-1), rtol=1e-5)
        assert (there != x).any()


class TestEvaluate:
    def test_against_numpy(self, state):
        x, y = (np.asarray(a) for a in batch(n=40))
        parameters = state.parameters
        found = evaluate(CODE, parameters, logits, x, y, batch=20)
        z = quantizer.nearest_messages(encode(CODE, parameters, x), 3)
        r = np.asarray(decode(CODE, parameters, quantizer.codes(3, 3)[z]))
        scores = np.asarray(logits(r))
        log_loss = np.log(np.exp(scores).sum(-1)) - scores[np.arange(40), y]
        assert found["mse"] == pytest.approx(((x - r) ** 2).mean(), rel=1e-5)
        assert found["ce_nats"] == pytest.approx(log_loss.mean(), rel=1e-5)
        assert found["ce_bits"] == pytest.approx(log_loss.mean() / np.log(2), rel=1e-5)
        assert found["accuracy"] == pytest.approx((scores.argmax(-1) == y).mean())
        p = np.bincount(z) / 40
        assert found["entropy_bits"] == pytest.approx(-(p[p > 0] * np.log2(p[p > 0])).sum())
        assert found["rate_bits"] == pytest.approx(4.7549, abs=1e-4)
        with pytest.raises(ValueError, match="40 images are no multiple of batch = 30"):
            evaluate(CODE, parameters, logits, x, y, batch=30)

    def test_every_image_has_its_own_dither(self):
        code = Code(dither=1.0)
        parameters = initial(code, 1).parameters
        x, key = jnp.tile(batch()[0][:1], (50, 1)), jax.random.key(0)
        messages, r = transmit(code, parameters, key, x)
        u = jax.vmap(lambda k: quantizer.dither(k, 3, 3, 1.0))(jax.random.split(key, 50))
        expected = decode(code, parameters, quantizer.codes(3, 3)[messages] - u)  # taken back by the decoder
        np.testing.assert_allclose(r, expected, atol=1e-5)
        assert len(np.unique(np.asarray(r), axis=0)) == 50

    def test_sliced_w2_of_a_translation(self):
        x = jax.random.normal(jax.random.key(1), (40, 5))
        move = jnp.arange(5.0)
        found = sliced_w2(jax.random.key(0), x, (x + move)[::-1], directions=20_000)
        assert float(found) == pytest.approx(np.sqrt(30 / 5), rel=0.02)  # |move|^2 / d
        with pytest.raises(ValueError, match=r"\(40, 5\) and \(39, 5\)"):
            sliced_w2(jax.random.key(0), x, x[1:])


class TestWarmStart:
    @pytest.mark.parametrize("broken", [False, True])
    def test_arranging_ends(self, broken):
        """In float32 two swaps that gain nothing but rounding once took turns for ever; so did not-a-number."""
        r = np.random.default_rng(0).random((3, 784), np.float32)
        r[0, 0] = np.nan if broken else r[0, 0]
        with deadline(10):
            assert sorted(warm.arrange(r, np.asarray(quantizer.codes(1, 3)))) == [0, 1, 2]

    def test_arranged_as_well_as_any(self):
        rng = np.random.default_rng(0)
        places, r = np.asarray(quantizer.codes(2, 2)), rng.normal(size=(4, 3))

        def cost(order):
            return sum(
                np.exp(-((places[i] - places[j]) ** 2).sum()) * ((r[order[i]] - r[order[j]]) ** 2).sum()
                for i in range(4)
                for j in range(4)
                if i != j
            )

        best = min(cost(order) for order in permutations(range(4)))
        assert cost(warm.arrange(r, places)) == pytest.approx(best)

    @given(seed=st.integers(0, 1000))
    @settings(max_examples=10)
    def test_arranged_is_a_permutation(self, seed):
        r = np.random.default_rng(seed).normal(size=(9, 2))
        order = warm.arrange(r, np.asarray(quantizer.codes(2, 3)), tries=2)
        assert sorted(order) == list(range(9))

    @pytest.mark.slow
    def test_the_decoder_learns_its_codebook(self, state):
        x, _ = batch(n=27)
        taught = warm.teach(CODE, state, x, steps=300)
        before, after = (decode(CODE, s.parameters, quantizer.codes(3, 3)) for s in (state, taught))
        assert ((after - x) ** 2).mean() < 0.05 * ((before - x) ** 2).mean()
