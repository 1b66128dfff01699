"""The dense kernel as an operator, in blocks of rows or whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.random import default_rng

from jaxrd.kernels.dense import _BLOCK, _NARROW, _rows, dense_kernel

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
