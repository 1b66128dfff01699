"""The dense kernel as an operator, in blocks of rows or whole; and a storage that the library does not know."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.random import default_rng

from jaxrd import InputError, Problem, interior_point, rate_at, solve, sweep, validate
from jaxrd.distortion import Structured
from jaxrd.kernels import AllLetters, kernel_of, ratio
from jaxrd.kernels.dense import _BLOCK, _NARROW, _rows, dense_kernel
from jaxrd.pytree import register

SHAPES = [(1000, 400), (1009, 300), (5000, 60), (3, 4), (7, 4000)]  # 1009 is prime: no blocks


def parts(n: int, m: int, dtype: type):
    g = default_rng(n)
    d = g.random((n, m)).astype(dtype)
    d[g.random((n, m)) < 0.1] = np.inf
    d[:, 0] = 0.5
    return d, g.dirichlet(np.ones(n)).astype(dtype), g.dirichlet(np.ones(m)).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_operator_is_that_of_numpy(shape, dtype):
    d, w, q = parts(*shape, dtype)
    kernel = jax.jit(lambda d: dense_kernel([d], [jnp.asarray(4, dtype)]))(d)
    excess = d.astype(float) - d.min(1, keepdims=True)
    k = np.exp(-4 * excess)
    mass = k * np.where(np.isinf(excess), 0, excess)
    rtol = 64 * np.finfo(dtype).eps  # sums of up to 5000 terms
    np.testing.assert_allclose(kernel.matvec(q), k @ q, rtol=rtol)
    np.testing.assert_allclose(kernel.rmatvec(w), w @ k, rtol=rtol)
    np.testing.assert_allclose(kernel.mean_excess(w, q)[0], w @ mass @ q, rtol=rtol)
    many = jax.vmap(kernel.rmatvec)(jnp.stack([w, 2 * w]))
    np.testing.assert_allclose(many, np.stack([w @ k, 2 * w @ k]), rtol=rtol)


@pytest.mark.parametrize("shape", [(2000, 30), (1009, 300), (2000, 256), (3, 4)])  # blocks, thirds, both, neither
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_gram_is_that_of_numpy_below_the_diagonal(shape, precision):
    d, w, q = parts(*shape, np.float64)
    kernel = dense_kernel([d], [jnp.asarray(4.0)])
    k = np.asarray(kernel.matrix)
    expected = np.tril(q[:, None] * (k.T @ (w[:, None] * k)) * q)
    tolerance = 100 * np.finfo(precision).eps * expected.max()
    for gram in (lambda w, r: kernel.gram(w, r, precision), kernel.turned_gram(precision)):
        found = jax.jit(gram)(w, q)
        assert found.dtype == precision
        np.testing.assert_allclose(np.tril(found), expected, rtol=0, atol=tolerance)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="blocks are for CPU")
def test_blocks_divide_the_rows_and_fit():
    assert _rows(1000, 400) == 500
    assert _rows(50_000, 1000) == 250
    for n, m in [(600, 300), (1009, 400), (100, 100), (1, 1), (7, 10**6), (514, 16_384)]:
        assert _rows(n, m) == n
    for n in range(1, 3000, 37):
        for m in (1, 30, 1000):
            rows = _rows(n, m)
            assert n % rows == 0
            assert rows == n or (rows >= _NARROW and _BLOCK[0] <= rows * m <= _BLOCK[1])


@register
@dataclass(frozen=True)
class Ring(Structured):
    """d(x, y) = cost[(y - x) mod n]: n numbers stand for n x n."""

    cost: jax.Array

    @property
    def shape(self):
        return len(self.cost), len(self.cost)

    @property
    def dtype(self):
        return self.cost.dtype

    @property
    def resident(self):
        return len(self.cost)

    def astype(self, dtype):
        return Ring(jnp.asarray(self.cost, dtype))

    def row(self, x):
        return jnp.roll(jnp.asarray(self.cost), x)

    def dense(self):
        return jax.vmap(self.row)(jnp.arange(len(self.cost)))

    def expected(self, source):
        return source @ self.dense()

    def refuse(self, occurs):
        pass

    def validate(self):
        pass


@register
@dataclass(frozen=True)
class RingKernel(AllLetters):
    ring: Ring
    feasible: jax.Array
    sound: jax.Array
    slopes: tuple[jax.Array]
    minima: tuple[jax.Array]
    hidden: jax.Array
    noise = 8.0

    def product(self, row, vector):
        return jax.lax.map(lambda x: jnp.roll(row, x) @ vector, jnp.arange(len(row)))

    @property
    def excess(self):
        return self.ring.cost - self.ring.cost.min()

    @property
    def row(self):
        return jnp.exp(-jnp.minimum(self.slopes[0], jnp.finfo(self.ring.dtype).max) * self.excess)  # inf * 0 is 0

    def matvec(self, q):
        return self.product(self.row, q)

    def rmatvec(self, weights):
        return self.product(jnp.roll(self.row[::-1], 1), weights)

    def sums(self, source, q):
        z = self.matvec(q)
        return z, self.rmatvec(ratio(source, z))

    def mean_excess(self, weights, q):
        return (weights @ self.product(self.row * self.excess, q),)

    def held(self):
        self.ring.__jax_array__()


@kernel_of.register
def ring_kernel(ring: Ring, slope):
    yes = jnp.ones(len(ring.cost), bool)
    least = jnp.full(len(ring.cost), ring.cost.min())
    return RingKernel(ring, yes, yes, (slope,), (least,), jnp.zeros_like(least))


def test_a_new_storage_is_a_distortion_and_its_kernel():
    g = default_rng(0)
    ring = Problem(g.dirichlet(np.ones(12)), Ring(g.random(12)))
    whole = replace(ring, distortion=ring.distortion.dense())
    validate(ring)
    for ours, theirs in (
        (solve(ring, 3.0, tol=1e-4), solve(whole, 3.0)),
        (sweep(ring, [0.5, 8.0], tol=1e-4), sweep(whole, [0.5, 8.0])),
        (rate_at(ring, 0.3, tol=1e-4), rate_at(whole, 0.3)),
    ):
        assert np.all(ours.converged)
        np.testing.assert_allclose(
            ours.rate + ours.slope * ours.distortion, theirs.rate + ours.slope * theirs.distortion, atol=1e-3
        )
    with pytest.raises(InputError, match="got a Ring of 12 x 12 pairs"):
        interior_point(ring, 3.0)
