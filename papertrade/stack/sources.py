"""Which code has changed since the last look: what `papertrade dev` restarts for."""

from pathlib import Path

SUFFIXES = (".py", ".html", ".txt")
SKIPPED = {"tests", "benchmarks", "docs"}  # no running process uses them


class Sources:
    """The code of the project's packages and templates."""

    def __init__(self, project: Path) -> None:
        self._folders = [
            path
            for path in project.iterdir()
            if path.is_dir()
            and path.name not in SKIPPED
            and ((path / "__init__.py").exists() or path.name == "templates")
        ]
        self._seen = self._times()

    def changed(self) -> list[Path]:
        """The files that were written, made or removed since the last look."""
        before, self._seen = self._seen, self._times()
        return sorted({path for path, _ in before.items() ^ self._seen.items()})

    def _times(self) -> dict[Path, int]:
        found = {}
        for folder in self._folders:
            for path in folder.rglob("*"):
                if path.suffix in SUFFIXES:
                    try:
                        found[path] = path.stat().st_mtime_ns
                    except FileNotFoundError:  # an editor is replacing it
                        continue
        return found
