"""The errors of the package: every room (a subpackage) may import them, they import none."""


class InputError(ValueError):
    """Input that cannot be used; the message is one line that quotes the offender and says what to do."""


class StreamError(InputError):
    """A stream that cannot be decoded: damaged, cut short, or of another model."""


class ModelError(InputError):
    """A file that holds no model, or one that is damaged."""


class ConvergenceError(RuntimeError):
    """Some points of a solution did not converge."""
