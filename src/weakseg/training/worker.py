"""``python -m weakseg.training.worker FOLDER``: one of the processes of `weakseg.training.launch.run_together`."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import warnings
from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]
from pathlib import Path

from weakseg.training.launch import REQUEST, write_error


def main() -> None:
    """Do what the request in the folder says."""
    folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_starter, daemon=True).start()
    if rank:
        warnings.simplefilter("ignore")  # the first says it
    try:
        with (folder / REQUEST).open("rb") as request:
            sys.path[:] = pickle.load(request)
            work, arguments = pickle.load(request)
        work(*arguments)
        _leave()
    except Exception as error:
        write_error(folder, rank, _packed(error))
        sys.stderr.flush()
        os._exit(1)  # without waiting for the others, who wait for this one


def _leave() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def _end_with_starter() -> None:
    while os.read(0, 1):
        pass
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)  # with those that load photos
    os._exit(1)


def _packed(error: Exception) -> bytes:
    try:
        packed = pickle.dumps(ExceptionWithTraceback(error, error.__traceback__))
        pickle.loads(packed)
    except Exception:  # an exception may hold anything
        plain = RuntimeError(f"{type(error).__name__}: {error}")
        packed = pickle.dumps(ExceptionWithTraceback(plain, error.__traceback__))
    return packed


if __name__ == "__main__":
    main()
