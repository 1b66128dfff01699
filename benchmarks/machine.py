"""What this machine is and what it can do: matrix products and memory, measured with jax beside the tools."""

import os
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp

PACKAGES = ("jaxrd", "jax", "numpy", "scipy", "dit", "cvxpy", "clarabel")


def _best(job: Callable[..., jax.Array], *arguments: Any) -> float:
    """Least seconds of a jitted job in five calls, compiling apart: the rate is what the machine can do."""
    compiled = jax.jit(job)
    jax.block_until_ready(compiled(*arguments))
    times = []
    for _ in range(5):
        start = perf_counter()
        jax.block_until_ready(compiled(*arguments))
        times.append(perf_counter() - start)
    return min(times)


def _gemm(dtype: Any, n: int, k: int) -> float:
    """GF/s of A A' for A of shape (n, k)."""
    a = jax.random.normal(jax.random.key(0), (n, k), dtype)
    return 2 * n * n * k / _best(lambda a: a @ a.T, a) / 1e9


def _stream() -> float:
    """GB/s of a <- a + 2 b on 128 MB arrays, in place: a fresh result would time the pages it is given."""
    step = jax.jit(lambda a, b: a + 2 * b, donate_argnums=0)
    b = jnp.ones(2**24, jnp.float64)
    a = jax.block_until_ready(step(b + 1, b))
    times = []
    for _ in range(5):
        start = perf_counter()
        a = jax.block_until_ready(step(a, b))
        times.append(perf_counter() - start)
    return 3 * b.nbytes / min(times) / 1e9


def rates() -> dict[str, float]:
    """GEMM rates in GF/s (1000^3, and a tall 500 x 20000 Gram product) and the stream rate in GB/s."""
    return {
        "gemm_f64_gflops": _gemm(jnp.float64, 1000, 1000),
        "gemm_f32_gflops": _gemm(jnp.float32, 1000, 1000),
        "gemm_tall_f64_gflops": _gemm(jnp.float64, 500, 20_000),
        "gemm_tall_f32_gflops": _gemm(jnp.float32, 500, 20_000),
        "stream_gbytes": _stream(),
    }


def describe() -> dict[str, Any]:
    """Cores, architecture, backend and versions: what a reader needs to judge a time."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "backend": jax.default_backend(),
        "versions": versions,
    }


def measure() -> dict[str, Any]:
    """The machine and its rates, float64 on."""
    jax.config.update("jax_enable_x64", True)
    return {"machine": describe(), "rates": rates()}
