"""quality.md, "Books that cannot be wrong": kill -9 of any part at random moments during sweeps and submits.

After each kill and restart nothing that was acknowledged is lost, nothing is doubled, every fill is the one that the
recording asks for, the sweep has finished by itself, and `audit_books` finds nothing.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stack.server import whole_server
from tests.torture.trial import VICTIMS, Trial

ROUNDS = 50
LINES_SHOWN = 60
IN_SWEEP_EVERY = 2
RESTING_BOOKS, RESTING_ORDERS = 8, 300  # 2,400 orders, three chunks
SHORT_RESTING_BOOKS, SHORT_RESTING_ORDERS = 2, 200


@pytest.fixture
def start(new_folder: Callable[[], Path]) -> Iterator[Callable[..., Trial]]:
    """Starts trials, and ends them."""
    trials: list[Trial] = []

    def make(**settings: int) -> Trial:
        trials.append(Trial(new_folder(), **settings))
        return trials[-1]

    yield make
    for trial in trials:
        trial.stop()
        print("".join(trial.server.lines[-LINES_SHOWN:]))  # pytest shows it where the test failed


@pytest.mark.slow
@whole_server
def test_kills_in_short(start: Callable[..., Trial]) -> None:
    trial = start(resting_books=SHORT_RESTING_BOOKS, resting_orders=SHORT_RESTING_ORDERS, seed=1)
    print(trial.round("feed", in_sweep=True))
    print(trial.round("postgres", in_sweep=False))
    print(trial.round("valkey", in_sweep=False))
    trial.audit()


@pytest.mark.torture
def test_fifty_kills(start: Callable[..., Trial], capsys: pytest.CaptureFixture[str]) -> None:
    trial = start(resting_books=RESTING_BOOKS, resting_orders=RESTING_ORDERS, seed=2)
    victims = [*VICTIMS] * (ROUNDS // len(VICTIMS) + 1)
    trial.chance.shuffle(victims)
    for number, victim in enumerate(victims[:ROUNDS], start=1):
        line = trial.round(victim, in_sweep=number % IN_SWEEP_EVERY == 0)
        trial.audit()
        with capsys.disabled():
            print(f"round {number} of {ROUNDS}: {line}", flush=True)
