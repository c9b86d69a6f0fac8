"""Files: private to their owner, written whole or not at all; and a fingerprint of a folder's contents."""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
PRIVATE_UMASK = 0o077  # what a process makes is for its own user alone


def close_to_others(paths: Iterable[Path]) -> None:
    """Leave these, where they exist, and all in them to their owner alone. What a link points at stays as it is."""
    for path in paths:
        if path.is_symlink() or not path.exists():
            continue
        path.chmod(PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE)
        if path.is_dir():
            close_to_others(path.iterdir())


def private_file(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


@contextlib.contextmanager
def private_part(path: Path) -> Iterator[Path]:
    """An empty private file beside `path`, which takes its name when the block ends; where that raises, it is gone."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def fingerprint(folder: Path, *packages: str) -> str:
    """Twelve hexadecimal digits that change with any file below the folder, and with the version of any of the packages."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(path.read_bytes())
    digest.update("\0".join(metadata.version(package) for package in packages).encode())
    return digest.hexdigest()[:12]
