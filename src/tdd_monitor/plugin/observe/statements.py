"""What a statement is, whatever its literals: pure functions of SQL text."""

import functools
import re

MAX_CHARS = 2000
_LONGEST = 20_000  # bulk statements: what is beyond looks like what was before

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
_RESET = "SELECT pg_advisory_unlock_all();"  # what asyncpg's pools send when a connection comes back

QUERY, DDL, TRANSACTION, POOL_RESET = "query", "ddl", "transaction", "pool reset"


@functools.lru_cache(maxsize=2000)
def fold(sql: str) -> str:
    """The statement with literals as `?`, lists of them as one, comments gone, white space plain."""
    text = _TOKENS.sub(_folded, sql[:_LONGEST])
    text = _LISTS.sub(r"\1 (...)", text)
    text = _SPACES.sub(" ", text).strip().rstrip(";")
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 4] + " ..."


def _folded(match: "re.Match[str]") -> str:
    if match.lastgroup == "keep":
        return match.group()
    return " " if match.group("space") is not None else "?"


@functools.lru_cache(maxsize=2000)
def kind(sql: str) -> str:
    """QUERY, DDL, or what is not a test's query: TRANSACTION control, POOL_RESET."""
    start = _COMMENTS.match(sql)
    position = start.end() if start is not None else 0
    word = _WORD.match(sql, position)
    first = word.group().upper() if word is not None else ""
    if first in _DDL:
        return DDL
    if first in _TRANSACTION:
        return TRANSACTION
    return POOL_RESET if sql.startswith(_RESET, position) else QUERY
