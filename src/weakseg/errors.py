"""The one exception that users meet: a mistake of input, told in one line."""

from collections.abc import Iterable


class WeaksegError(Exception):
    """Bad input. The message is one line that names the file or key and the way out.

    The command line prints it without a traceback and exits with code 2.
    """


def one_of(kind: str, name: str, available: Iterable[object]) -> WeaksegError:
    """Build the error for an unknown name, listing what exists.

    Example:
        >>> str(one_of("recipe", "cma", ["cam", "vwe"]))
        "unknown recipe 'cma'; available: cam, vwe"
    """
    names = ", ".join(str(item) for item in available)
    return WeaksegError(f"unknown {kind} {name!r}; available: {names or 'none'}")


class ProcessLostError(Exception):
    """One of the processes of a run was ended from outside, as by a lack of memory; what is done stays.

    The command line prints it without a traceback and exits with code 1.
    """
