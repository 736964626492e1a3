"""The few ways film fails, each with the exit code that a program returns for it.

FilmError (5)
├── UsageError (2)      what was asked for makes no sense
├── InputError (3)      the input cannot be read, is not allowed, or holds no pictures
├── OutputError (4)     the output cannot be written, or cannot hold what was asked
│   └── ReaderLeft (4)  whoever read standard output has stopped: no fault, so a program ends without a word
├── EncoderError (5)    the encoder failed
├── ModelError (5)      weights, device, or a picture that is not finite
└── Interrupted (130)   a signal ended the run: 130 for SIGINT, 143 for SIGTERM and SIGHUP
"""

import unicodedata

EXIT_SIGINT = 130
EXIT_SIGTERM = 143

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class FilmError(Exception):
    """A failure told to a person in one sentence; `exit_code` is what a program returns for it."""

    exit_code: int = 5


class UsageError(FilmError):
    """What was asked for is wrong: unknown options, times that are no times, output equal to input."""

    exit_code = 2


class InputError(FilmError):
    """The input cannot be read, is not allowed, or has no pictures."""

    exit_code = 3


class OutputError(FilmError):
    """The output cannot be written, is there already, or cannot hold what was asked."""

    exit_code = 4


class ReaderLeft(OutputError):
    """Whoever read standard output has stopped reading: there is nobody to write for, and nobody to tell."""


class EncoderError(FilmError):
    """The encoder ended with an error, or what it wrote does not hold what went in."""

    exit_code = 5


class ModelError(FilmError):
    """Weights that cannot be trusted or loaded, a missing device, or a picture that is not finite."""

    exit_code = 5


class Interrupted(FilmError):
    """A signal ended the run; `exit_code` is 128 plus the signal's number."""

    def __init__(self, message: str = "interrupted", exit_code: int = EXIT_SIGINT) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def printable(text: object) -> str:
    r"""Return `text` with every character that could steer a terminal, or is no character at all, escaped.

    Names and tags come from files that others wrote: an escape sequence in them must not reach a terminal, and a
    line end must not turn one message into two. Bytes that were not UTF-8 (surrogates) come out as `\\udcXX`.
    """
    return "".join(_escaped(char) for char in str(text))


def _escaped(char: str) -> str:
    if unicodedata.category(char) not in _HIDDEN_CATEGORIES:
        return char
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
