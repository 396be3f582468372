"""What may reach a log, and nothing else: no values of a search, no words of a failure.

A query string names patients, and the message of an unexpected exception may quote a resource.
So a log shows the names of parameters, and of an exception its type and the lines it came by.
"""

import re
import traceback
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}(?:[.:][A-Za-z0-9_-]{1,64}){0,8}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
_MOST_NAMES = 20
_FRAME = re.compile(r' +File "(.+)", line (\d+), in (.+)')
_KIND = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


def parameter_names(query: Iterable[tuple[str, str]]) -> str:
    """The names of a query's parameters, joined by `&`; what is not shaped like a name is `?`."""
    names = [name if _PARAMETER.fullmatch(name) else "?" for name, _ in query]
    return "&".join(names[:_MOST_NAMES])


def is_request_id(text: str) -> bool:
    """Whether a client's own request id looks like an id, so that it may be logged as one."""
    return _REQUEST_ID.fullmatch(text) is not None


def exception_lines(error: BaseException) -> list[str]:
    """An exception without its words: each type of its chain, then `file:line function`.

    The first cause comes first, the innermost line of each last. An OSError keeps its words,
    which come from the operating system.
    """
    lines: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        frames = traceback.extract_tb(link.__traceback__)
        lines[:0] = [
            _title(link),
            *(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames),
        ]
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return lines


def traceback_lines(text: str) -> list[str]:
    """The same of a traceback that some library has already made a text of."""
    lines: list[str] = []
    in_frames = False
    for line in text.splitlines():
        if frame := _FRAME.fullmatch(line):
            lines.append("{}:{} {}".format(*frame.groups()))
        elif in_frames and (kind := _KIND.match(line)):
            lines.append(kind[0])
        in_frames = line.startswith(" ")
    return lines


def url_without_password(url: str) -> str:
    """A store's URL with the password, if there is one, replaced by `***`."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    shown = f"{name}:***@{hosts}" if at and colon else parts.netloc
    return urlunsplit(parts._replace(netloc=shown)) if shown != parts.netloc else url


def _title(error: BaseException) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    return f"{kind}: {error.strerror}" if isinstance(error, OSError) and error.strerror else kind
