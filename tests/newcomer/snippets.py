"""The fenced blocks of README and docs/, and one shell that runs them as a reader would: page after page, as written.

A block's first line says what it is: `sh` and `python` are run, `sh background` starts the server that the rest needs, and
`sh ignore: REASON` is left out. Only the port is another, so that the test meets no server that runs already.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from papertrade.stack.embedded.process import free_port
from tests.stack.server import without_servers

PROJECT = Path(__file__).resolve().parents[2]
FIRST_PAGE = "README.md"
RUN, READ = {"sh", "python"}, {"json", "csv", "sql", "ini", "text", "js", "nginx"}
ADDRESS = "127.0.0.1:8000"
START_SECONDS, ALL_SECONDS = 240, 900
MARK = "@@@"


@dataclass(frozen=True)
class Snippet:
    """One fenced block; `how` is what follows its language."""

    page: str
    line: int
    language: str
    how: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def ignored(self) -> str:
        """Why it is not run, else empty."""
        return self.how.removeprefix("ignore:").strip() if self.how.startswith("ignore") else ""


def pages() -> list[str]:
    """README first: the rest is read by somebody who has followed it."""
    return [FIRST_PAGE, *sorted(f"docs/{path.name}" for path in (PROJECT / "docs").glob("*.md")), "CONTRIBUTING.md"]


def snippets(page: str, text: str) -> Iterator[Snippet]:
    """Every fenced block of a page, at the beginning of a line or indented."""
    for found in re.finditer(r"^([ ]*)```([^\n`]*)\n(.*?)^\1```[ ]*$", text, re.MULTILINE | re.DOTALL):
        language, _, how = found[2].strip().partition(" ")
        yield Snippet(page, text.count("\n", 0, found.start()) + 1, language, how.strip(), found[3])


def all_snippets() -> list[Snippet]:
    return [found for page in pages() for found in snippets(page, (PROJECT / page).read_text())]


class Reader:
    """Somebody with a clone of the project and a shell in it."""

    def __init__(self, clone: Path, *, user: str | None = None, **environment: str) -> None:
        self.clone, self.user, self.port = clone, user, free_port()
        self.environment = {**without_servers(), "PAPERTRADE_PORT": str(self.port), **environment}
        self.environment.pop("PAPERTRADE_VAR", None)

    def follow(self, found: list[Snippet]) -> str:
        """Run them all in one shell; what was printed. AssertionError at the first that fails, with its place."""
        script = self.clone.parent / "as-written.sh"
        script.write_text(self._script(found))
        script.chmod(0o755)
        shell = (
            ["su", self.user, "--shell", "/bin/bash", "--command", shlex.quote(str(script))]
            if self.user
            else ["bash", str(script)]
        )
        process = subprocess.Popen(
            shell,
            cwd=self.clone,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=ALL_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said = process.communicate()[0] + f"\nkilled after {ALL_SECONDS} s"
        places = re.findall(rf"^{MARK} (.*)$", said, re.MULTILINE)
        assert process.returncode == 0, f"{places[-1] if places else 'the shell'} failed:\n{said[-6000:]}"
        return said

    def _script(self, found: list[Snippet]) -> str:
        parts = [
            "set -euo pipefail",
            f"cd '{self.clone}'",
            "server=",
            'stop() { [ -z "$server" ] || { kill -TERM -- -$server; wait $server || true; }; }',
            "trap stop EXIT",
        ]
        for number, snippet in enumerate(found):
            text = snippet.text.replace(ADDRESS, f"127.0.0.1:{self.port}")
            parts.append(f"echo '{MARK} {snippet}'")
            if snippet.how == "background":
                parts += [f"setsid bash -c '{text.strip()}' > server.log 2>&1 & server=$!", WAIT]
            elif snippet.language == "python":
                parts.append(f"cat > snippet{number}.py <<'SNIPPET'\n{text}SNIPPET\npython3 snippet{number}.py")
            else:
                parts.append(text.rstrip())
        return "\n".join([*parts, f"echo '{MARK} the end'"]) + "\n"


WAIT = f"""for _ in $(seq {START_SECONDS * 5}); do
  grep -q 'Ctrl-C stops it' server.log && break
  kill -0 $server 2>/dev/null || {{ cat server.log; exit 1; }}
  sleep 0.2
done
grep -q 'Ctrl-C stops it' server.log || {{ cat server.log; exit 1; }}
cat server.log"""


def copy_of_the_project(to: Path) -> Path:
    """What is tracked or would be, as it stands now, without the environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (PROJECT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, to / name)
    return to
