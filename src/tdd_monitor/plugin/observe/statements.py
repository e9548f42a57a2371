"""Normalizes and classifies statements: pure functions of SQL text."""

import functools
import re

MAX_CHARS = 2000
_MAX_SCANNED_CHARS = 20_000  # the rest of a longer (bulk) statement repeats its beginning

_TOKENS = re.compile(
    r"""
    (?P<space>\s+ | --[^\n]* | /\*.*?\*/)
  | (?P<keep>"(?:[^"]|"")*" | \$\d+ | [:@%][A-Za-z_(]\w*\)?s? | [A-Za-z_][\w$]*(?!['\w]))
  | (?P<literal>[eE]'(?:[^'\\]|\\.|'')*' | [A-Za-z]{0,2}'(?:[^']|'')*'
      | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ | \d+(?:\.\d*)?(?:[eE][+-]?\d+)? | \.\d+)
    """,
    re.VERBOSE | re.DOTALL,
)
_VALUE = r"(?:\?|\$\d+|%s|%\(\w+\)s|:\w+)"
_LISTS = re.compile(
    r"(?i)\b(IN|VALUES)\s*\(\s*%s(?:\s*,\s*%s)*\s*\)(?:\s*,\s*\([^()]*\))*" % (_VALUE, _VALUE)
)
_COMMENTS = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*", re.DOTALL)
_SPACES = re.compile(r" {2,}")
_WORD = re.compile(r"[A-Za-z]+")

_DDL = frozenset({"CREATE", "ALTER", "DROP", "TRUNCATE", "COMMENT", "GRANT", "REVOKE", "REINDEX"})
_TRANSACTION = frozenset({"BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "END", "ABORT"})
_RESET = "SELECT pg_advisory_unlock_all();"  # sent by asyncpg's pools when a connection is released

QUERY, DDL, TRANSACTION, POOL_RESET = "query", "ddl", "transaction", "pool reset"


@functools.lru_cache(maxsize=2000)
def fold(sql: str) -> str:
    """Normalize: literals become `?`, lists of them `(...)`; comments and extra white space are removed."""
    text = _TOKENS.sub(_folded, sql[:_MAX_SCANNED_CHARS])
    text = _LISTS.sub(r"\1 (...)", text)
    text = _SPACES.sub(" ", text).strip().rstrip(";")
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 4] + " ..."


def _folded(match: "re.Match[str]") -> str:
    if match.lastgroup == "keep":
        return match.group()
    return " " if match.group("space") is not None else "?"


@functools.lru_cache(maxsize=2000)
def kind(sql: str) -> str:
    """Return QUERY or DDL, or for statements that are no query of the test, TRANSACTION or POOL_RESET."""
    start = _COMMENTS.match(sql)
    position = start.end() if start is not None else 0
    word = _WORD.match(sql, position)
    first = word.group().upper() if word is not None else ""
    if first in _DDL:
        return DDL
    if first in _TRANSACTION:
        return TRANSACTION
    return POOL_RESET if sql.startswith(_RESET, position) else QUERY
