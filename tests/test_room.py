"""A process that meets many shapes, and threads that sweep together."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from jaxrd import Problem, solve, sweep
from jaxrd import _room as room
from jaxrd._threads import one_blas_thread

needs_maps = pytest.mark.skipif(not room.MOST.exists(), reason="memory maps are limited on Linux only")


def compile_one():
    """A program that was never compiled before, and a weak hold on what JAX keeps of it."""
    return jax.jit(lambda x: x + np.random.default_rng(0).random())(jnp.ones(3))


@needs_maps
def test_room_is_made_beyond_the_limit_alone(monkeypatch):
    cleared = []
    monkeypatch.setattr(jax, "clear_caches", lambda: cleared.append(1))
    monkeypatch.setattr(room, "_compiled", room.EVERY)
    monkeypatch.setattr(room, "_most", lambda: 10**9)
    assert not room.make_room()
    assert not room.make_room()  # not looked at again so soon
    monkeypatch.setattr(room, "_compiled", room.EVERY)
    monkeypatch.setattr(room, "_most", lambda: 1)
    assert room.make_room()
    assert cleared == [1]


@needs_maps
@pytest.mark.parametrize("call", ["solve", "sweep", "limits", "rdc", "perception"])
def test_public_functions_make_room(monkeypatch, call):
    from jaxrd import rdc, tosc

    problem, labels = Problem(np.full(2, 0.5), 1 - np.eye(2)), np.eye(2)
    calls = {
        "solve": lambda: solve(problem, 1.0),
        "sweep": lambda: sweep(problem, [1.0]),
        "limits": lambda: tosc.limits(np.array([0, 1, 1]), np.array([0, 1, 0]), at=[0.4], slopes=2),
        "rdc": lambda: rdc.lifted_rate(problem, labels, 0.2, 0.5),
        "perception": lambda: rdc.perceptual_rate(problem, 0.3, 0.5),
    }
    cleared = []
    monkeypatch.setattr(jax, "clear_caches", lambda: cleared.append(call))
    monkeypatch.setattr(room, "_compiled", room.EVERY)
    monkeypatch.setattr(room, "_most", lambda: 1)
    calls[call]()
    assert cleared


def test_compilations_are_counted(monkeypatch):
    monkeypatch.setattr(room, "_compiled", 0)
    compile_one()
    assert room._compiled > 0


def blas_threads():
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_blas_threads_come_back_after_overlapping_contexts():
    """The first to enter leaves first: what the second found must not be what stays."""
    with one_blas_thread():
        pass  # the libraries are loaded
    before, first, second = blas_threads(), threading.Event(), threading.Event()

    def outer():
        with one_blas_thread():
            first.set()
            second.wait(10)

    thread = threading.Thread(target=outer)
    thread.start()
    assert first.wait(10)
    with one_blas_thread():
        second.set()
        thread.join()
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_blas_threads_come_back_while_the_first_thread_lives():
    before, entered, left, end = blas_threads(), *(threading.Event() for _ in range(3))

    def first():
        with one_blas_thread():
            entered.set()
            assert second_inside.wait(10)
        left.set()
        end.wait(10)

    second_inside = threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(10)
    with one_blas_thread():
        second_inside.set()
        assert left.wait(10)
        assert set(blas_threads()) == {1}
    after = blas_threads()
    end.set()
    thread.join()
    assert after == before


def test_blas_threads_come_back_after_an_error():
    before = blas_threads()
    with pytest.raises(RuntimeError), one_blas_thread():
        raise RuntimeError
    assert blas_threads() == before


def test_concurrent_sweeps_leave_blas_as_it_was():
    problem = Problem(np.full(2, 0.5), 1 - np.eye(2))
    sweep(problem, [1.0, 2.0])
    before = blas_threads()
    for _ in range(20):
        together = [threading.Thread(target=sweep, args=(problem, [1.0, 2.0])) for _ in range(4)]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
        assert blas_threads() == before
