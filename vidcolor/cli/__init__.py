"""The command: one file a subcommand, each thin; what is heavy is loaded when its command runs.

Signals are taken before anything else is loaded, so that Ctrl-C ends a run quietly from its first moment on.
"""

from __future__ import annotations

from vidcolor.cli.supervisor import Supervisor


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code; prints no traceback, whatever happens."""
    with Supervisor() as supervisor:
        from vidcolor.cli.command import perform  # only now: the handlers are in place

        return perform(argv, supervisor)


def entry() -> None:
    """What the console script calls: `main`, then the end of the process.

    It does not wait for threads: one may stand in a read that never returns (a pipe that stays open), or in the
    import of torch that a usage error made needless.
    """
    import os
    import sys
    from contextlib import suppress

    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # a closed reader, or no stream at all
            stream.flush()
    os._exit(code)
