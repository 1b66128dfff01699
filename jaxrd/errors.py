"""The errors of the package: every room (a subpackage) may import them, they import none."""


class InputError(ValueError):
    """Input that cannot be used; the message is one line that quotes the offender and says what to do.

    >>> import jaxrd
    >>> jaxrd.solve("a problem", 2.0)
    Traceback (most recent call last):
        ...
    jaxrd.errors.InputError: a Problem is needed; got 'a problem'. Write Problem(source, distortion).
    """


class StreamError(InputError):
    """A stream that cannot be decoded: damaged, cut short, or of another model."""


class ModelError(InputError):
    """A file that holds no model, or one that is damaged."""


class ConvergenceError(RuntimeError):
    """Some points of a solution did not converge; `jaxrd.check` raises it, and names them with their gaps.

    >>> import jax.numpy as jnp
    >>> from jaxrd import Problem, blahut_arimoto, check
    >>> check(blahut_arimoto(Problem(jnp.array([0.7, 0.3]), 1 - jnp.eye(2)), 2.0, max_steps=1))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    jaxrd.errors.ConvergenceError: 1 of 1 points did not converge: slope 2: MAX_STEPS, gap ...
    """
