"""How a cancelled run's Python is ended: by an exception that is thrown into its thread."""

import time

PIECE = 0.1  # seconds


class Cancelled(BaseException):
    """Raised in the thread of a run that was cancelled."""


def install_sleep():
    """time.sleep in short pieces: such an exception reaches a thread between two bytecodes only, and a sleep is one."""
    whole = time.sleep

    def sleep(seconds, /):
        end = time.monotonic() + seconds if isinstance(seconds, (int, float)) and seconds > PIECE else 0
        while (left := end - time.monotonic()) > PIECE:
            whole(PIECE)
        whole(max(left, 0) if end else seconds)

    sleep.__doc__ = whole.__doc__
    time.sleep = sleep
