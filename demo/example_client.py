"""An example: restore films through a page that runs, and fetch the results. `python -m demo.example_client --help`."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from gradio_client import Client, handle_file


def main() -> None:
    """Restore each film in turn."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.example_client", description="Restore films through the page."
    )
    parser.add_argument("films", nargs="+", type=Path, metavar="FILM")
    parser.add_argument("--page", default="http://127.0.0.1:7860/", metavar="ADDRESS", help="default: %(default)s")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="if the page asks for it")
    parser.add_argument("--strength", type=float, default=1.0, help="of the colours, 0 to 2 (default: %(default)s)")
    parser.add_argument("--hints", type=Path, metavar="FILE", help="colours painted on its frames: hints.json")
    args = parser.parse_args()
    login = tuple(args.auth.split(":", 1)) if args.auth else None
    client = Client(args.page, auth=login, verbose=False)
    for film in args.films:
        restore(client, film, args.strength, args.hints)


def restore(client: Client, film: Path, strength: float, painted: Path | None = None) -> Path:
    """Restore one film beside itself."""
    hints = json.loads(painted.read_text(encoding="utf-8")) if painted else None
    job = client.submit(handle_file(film), strength=strength, hints=hints, api_name="/restore")
    for news in job:
        say(film, news)
    target = film.with_name(Path(job.result()["film"]).name)
    shutil.copyfile(job.result()["film"], target)
    print(f"{film}: {target}")  # noqa: T201 - a programme for a terminal
    return target


def say(film: Path, news: dict[str, Any]) -> None:
    """One line of progress."""
    if news["event"] == "waiting" and news["place"]:
        print(f"{film}: place {news['place']} in the queue")  # noqa: T201
    elif news["event"] == "progress":
        print(f"{film}: {news['frame']} of {news['total']} frames, {news['rate']} a second")  # noqa: T201


if __name__ == "__main__":
    main()
