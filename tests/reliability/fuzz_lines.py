"""Fuzzes the decoder and everything behind it with damaged lines: nothing may raise.

    python tests/reliability/fuzz_lines.py [--lines 1000000] [--seed 1]

Takes the lines of realistic runs, damages most of them (bytes changed, cut, repeated or swapped, values of
other types, numbers out of range, lines out of order) and applies those that still decode to a board. Every
20,000 lines it creates all reports and a new board. Prints the numbers accepted, rejected and skipped.
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
from tdd_monitor.reports import formats
from tdd_monitor.reports import json as json_report
from tdd_monitor.verdict import Board

BOARD_LINES = 20_000
STRANGE: tuple[object, ...] = (
    None, True, -1, 0, 1 << 62, 1 << 80, 1e308, "", "\x00", "\ud800", "\x1b]0;x\x07", [], {}, [[]], {"": 0}
)  # fmt: skip


def damage_bytes(raw: bytes, chance: random.Random) -> bytes:
    """Change a byte, cut the line, repeat a part, or swap its halves."""
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
    """Replace or delete one value somewhere in the line."""
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
    """Create every report of a board."""
    document = json_report.document(board, 0)
    for name in formats.FORMATS:
        formats.render(name, document)
    console_report.summary(board, Console(file=io.StringIO(), width=120), 0)


def main() -> None:
    """Fuzz; a traceback is a defect, reproducible with the seed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    runs = [streams.shop(), streams.rerun_failed(), streams.xdist(), streams.lost()]
    runs.append(streams.collection_errors())
    lines = [encode(line).rstrip(b"\n") for run in runs for line in run]
    results: Counter[str] = Counter()
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
            results["rejected"] += 1
        else:
            results["accepted" if line else "skipped as unknown"] += 1
            if line is not None:
                board.apply(line)
        if number % BOARD_LINES == 0:
            report(board)
            board = Board()
    words = ", ".join(f"{count:,} {word}" for word, count in results.most_common())
    took_s = time.monotonic() - started_s
    print(f"{given.lines:,} lines, seed {given.seed}: {words}; {took_s:.0f} s, nothing raised")


if __name__ == "__main__":
    main()
