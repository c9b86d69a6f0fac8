"""`python -m benchmarks.run [P1 P2 ...]`: measure on an embedded stack of its own, print a table, write bench.json.

Ends with status 1 where a figure is below its bar (docs/performance.md).
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from benchmarks.figures import Figure, say
from papertrade.stack import embedded

RESULT = Path("bench.json")


def prepare_django(folder: Path) -> embedded.Servers:
    """Servers of our own, migrated, with the calendar in place."""
    servers = embedded.start(embedded.own(folder))
    os.environ.update(
        DATABASE_URL=servers.owner_url,
        REDIS_URL=servers.redis_url,
        PAPERTRADE_SECRET_KEY="benchmarks-only-" + "x" * 40,
        PAPERTRADE_VAR=str(folder),
        PAPERTRADE_SPEED="0",
        PAPERTRADE_LOG_LEVEL="ERROR",
        DJANGO_SETTINGS_MODULE="papertrade.settings",
    )
    import django

    django.setup()
    from django.core.management import call_command

    (folder / "static").mkdir(exist_ok=True)
    call_command("migrate", verbosity=0)
    call_command("sync_sessions", verbosity=0, if_needed=True)
    return servers


def main(wanted: list[str]) -> int:
    """Run the wanted benchmarks, by default all; the exit status."""
    folder = Path(tempfile.mkdtemp(prefix="papertrade-bench-"))
    folder.chmod(0o755)
    servers = prepare_django(folder)
    try:
        from benchmarks.trials import TRIALS

        unknown = set(wanted) - TRIALS.keys()
        if unknown:
            say(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(TRIALS)}")
            return 2
        figures = [figure for name in (wanted or TRIALS) for figure in _timed(name, TRIALS[name])]
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)
    _show(figures)
    RESULT.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    return 0 if all(figure.ok for figure in figures) else 1


def _timed(name: str, trial: Callable[[], list[Figure]]) -> list[Figure]:
    say(f"{name}: {(trial.__doc__ or '').splitlines()[0]}")
    started = time.perf_counter()
    figures = trial()
    say(f"{name}: done in {time.perf_counter() - started:.0f} s")
    return figures


def _show(figures: list[Figure]) -> None:
    widths = [max(len(getattr(figure, column)) for figure in figures) for column in ("name", "what", "figure", "bar")]
    for figure in figures:
        cells = (figure.name, figure.what, figure.figure, figure.bar)
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        print(f"{line}  {'ok' if figure.ok else 'BELOW ITS BAR'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
