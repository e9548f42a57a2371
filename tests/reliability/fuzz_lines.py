"""Damaged lines by the million: nothing behind the decoder may raise, whatever arrives.

    python tests/reliability/fuzz_lines.py [--lines 1000000] [--seed 1]

Takes the lines of recorded-like runs, damages most of them (bytes changed, cut, doubled, spliced, values of
other types, numbers out of range, another order) and applies what still decodes to a board. Every 20,000
lines all reports are made of it, and a new board begins. Prints what was accepted, refused and skipped.
"""

import argparse
import io
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rich.console import Console
from support import streams

from tdd_monitor.protocol.codec import ProtocolError, decode, encode
from tdd_monitor.reports import console as console_report
from tdd_monitor.reports import json as json_report
from tdd_monitor.verdict import Board

BOARD_LINES = 20_000
STRANGE: tuple[object, ...] = (
    None, True, -1, 0, 1 << 62, 1 << 80, 1e308, "", "\x00", "\ud800", "\x1b]0;x\x07", [], {}, [[]], {"": 0}
)  # fmt: skip


def damage_bytes(raw: bytes, chance: random.Random) -> bytes:
    """Another byte, a cut, a piece twice, or two halves of it swapped."""
    at = chance.randrange(len(raw))
    kind = chance.randrange(4)
    if kind == 0:
        return raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]
    if kind == 1:
        return raw[:at]
    if kind == 2:
        return raw[:at] + raw[at : at + 40] + raw[at:]
    return raw[at:] + raw[:at]


def damage_value(raw: bytes, chance: random.Random) -> bytes:
    """One value somewhere in the line becomes something else, or goes."""
    document = json.loads(raw)
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return json.dumps(document).encode()
        key = chance.choice(keys)
        inner = place[key]
        if isinstance(inner, (dict, list)) and inner and chance.random() < 0.7:
            place = inner
            continue
        if chance.random() < 0.15:
            del place[key]
        else:
            place[key] = chance.choice(STRANGE)
        return json.dumps(document).encode("utf-8", "surrogatepass")


def report(board: Board) -> None:
    """All that is made of a board without a screen."""
    json.dumps(json_report.document(board, 0), allow_nan=False)
    console_report.summary(board, Console(file=io.StringIO(), width=120), 0)


def main() -> None:
    """Fuzz; a traceback is a defect, and the seed repeats it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    runs = [streams.shop(), streams.rerun_failed(), streams.xdist(), streams.lost()]
    runs.append(streams.collection_errors())
    lines = [encode(line).rstrip(b"\n") for run in runs for line in run]
    told: Counter[str] = Counter()
    board, started_s, at = Board(), time.monotonic(), 0
    for number in range(1, given.lines + 1):
        at = chance.randrange(len(lines)) if chance.random() < 0.2 else (at + 1) % len(lines)
        raw = lines[at]
        dice = chance.random()
        if dice < 0.5:
            raw = damage_value(raw, chance)
        elif dice < 0.8:
            raw = damage_bytes(raw, chance)
        try:
            line = decode(raw)
        except ProtocolError:
            told["refused"] += 1
        else:
            told["accepted" if line else "skipped as unknown"] += 1
            if line is not None:
                board.apply(line)
        if number % BOARD_LINES == 0:
            report(board)
            board = Board()
    words = ", ".join(f"{count:,} {word}" for word, count in told.most_common())
    took_s = time.monotonic() - started_s
    print(f"{given.lines:,} lines, seed {given.seed}: {words}; {took_s:.0f} s, nothing raised")


if __name__ == "__main__":
    main()
