"""Detects that a coding agent runs the command, by the environment variables that agents set."""

from collections.abc import Mapping

# Agents set these for the commands that they run. Not listed: variables of editors (CURSOR_TRACE_ID,
# REPL_ID), which people's own terminals have too, and AGENT, which other software uses.
VARIABLES = (
    "AI_AGENT",  # a convention for all agents
    "CLAUDECODE",
    "CLINE_ACTIVE",
    "CODEX_CI",
    "CODEX_SANDBOX",
    "CODEX_THREAD_ID",
    "COPILOT_CLI",
    "CURSOR_AGENT",
    "GEMINI_CLI",
    "GOOSE_TERMINAL",
    "OPENCODE",
)
_OFF = frozenset({"", "0", "false"})


def detected(environment: Mapping[str, str], terminal: bool) -> str:
    """The variable that shows an agent; "" for a person. A terminal is a person's, whatever the variables."""
    if terminal:
        return ""
    return next((name for name in VARIABLES if environment.get(name, "").lower() not in _OFF), "")
