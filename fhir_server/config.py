"""Every knob of the server, with its default and one sentence: `docs/settings.md` shows them.

Read once at start, from arguments, then the environment, then `.env` in the working folder;
components receive plain values, never these settings.
"""

import re
from datetime import UTC, tzinfo
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ByteSize, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "FHIR_SERVER_"
FHIR_PATH = "/fhir"
"""Where below the base URL the FHIR service lives."""

MOST_DRAIN = 30
"""Seconds from the signal to stop within which the process ends."""
OPEN_ONLY = (
    "this version has no access control yet, so it serves only with --open:"
    " no sign-in, reached from this machine only."
)
"""Why the server does not start otherwise."""

_SQLITE = "sqlite:"
_STORES = (_SQLITE, "mongodb://", "mongodb+srv://")
_SECRETS = {"store"}
_MEBIBYTE = 1024 * 1024
_KIBIBYTE = 1024

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[ByteSize, Field(ge=1)]


class InvalidSettings(Exception):
    """A setting has a value that cannot be meant; the message names each, a sentence a line."""


class Settings(BaseSettings):
    """What the operator decides. Made by `load_settings`, which says in words what is wrong."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on; the default is reached from this machine only.",
    )
    port: int = Field(8000, ge=1, le=65535, description="TCP port to listen on.")
    base_url: str = Field(
        "",
        description=(
            "Address under which clients reach the server, without `/fhir`; every link is made"
            " from it and never from the Host header; made from host and port when empty."
        ),
    )
    store: str = Field(
        "",
        description=(
            "Where resources live: `sqlite:PATH`, `mongodb://…` or `mongodb+srv://…`;"
            " `sqlite:fhir.db` in the data folder when empty."
        ),
    )
    data: Path = Field(
        Path("data"),
        description=(
            "Folder of the default store and, if it is set, of the content of files, which"
            " otherwise lies beside the store's own file."
        ),
    )
    workers: Count = Field(1, description="Server processes that share the port and the store.")
    open: bool = Field(
        False,  # noqa: FBT003 -- the default of a field, not an argument
        description="Run without sign-in, for development; only on a loopback address.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level of the events that are logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="JSON lines or text for people; `auto` is text on a terminal only."
    )
    log_requests: bool = Field(
        True,  # noqa: FBT003 -- the default of a field, not an argument
        description="Log one line for each request, which costs about 2 µs of it.",
    )
    drain_delay: float = Field(
        0,
        ge=0,
        le=25,
        description=(
            "Seconds to go on serving, not ready, after the signal to stop: behind a load"
            " balancer, the time it takes to notice; with the time to finish at most 30."
        ),
    )
    drain_timeout: Count = Field(
        25, description="Seconds that requests in flight may take to finish after that."
    )
    request_deadline: Seconds = Field(
        15,
        description=(
            "Seconds that a body may take to arrive, and that one query or commit of the store may"
            " take; the answer then is that time is up."
        ),
    )
    bundle_deadline: Seconds = Field(
        600,
        description=(
            "Seconds after which a batch begins no further entry, and within which a transaction"
            " must come to its commit; the answer then is that time is up."
        ),
    )
    max_body: Bytes = Field(
        ByteSize(32 * _MEBIBYTE), description="Largest request body, after decompression."
    )
    max_depth: Count = Field(64, description="Deepest nesting of objects and arrays in JSON.")
    max_bundle_entries: Count = Field(
        5000, description="Most entries of a batch or transaction bundle."
    )
    max_bundle_answer: Bytes = Field(
        ByteSize(64 * _MEBIBYTE),
        description=(
            "Most bytes of resources in the answer to a batch or transaction; reads beyond are"
            " refused (the whole transaction with them), writes are done and show no resource."
        ),
    )
    max_url: Bytes = Field(ByteSize(8 * _KIBIBYTE), description="Longest path and query of a URL.")
    max_parameters: Count = Field(100, description="Most parameters of one search.")
    max_values: Count = Field(200, description="Most comma-separated values of one search.")
    page_size: Count = Field(50, description="Matches on a page when `_count` is not given.")
    max_page_size: Count = Field(
        1000, description="Most matches on a page, whatever `_count` says."
    )
    max_sorted: Count = Field(
        10_000,
        description="Most matches of a search that is sorted by what no index is ordered by.",
    )
    max_included: Count = Field(
        1000, description="Most resources that `_include` and `_revinclude` add to one page."
    )
    max_include_depth: Count = Field(
        3, description="Most links from a match that `_include:iterate` follows."
    )
    full_text: Literal["none", "text", "content"] = Field(
        "text",
        description=(
            "What is indexed word by word: nothing, narratives (`text`, for `_text`), or all that"
            " a resource says as well (`content`, for `_content`), which costs about three times"
            " the time and the room of all other indexing."
        ),
    )
    zone: str = Field(
        "UTC",
        description="Time zone, such as `Europe/Berlin`, of dates and times that carry none.",
    )
    conditional_delete: Literal["one", "many"] = Field(
        "one",
        description="Whether a conditional delete may delete `many` matches, or must match `one`.",
    )

    @property
    def public_url(self) -> str:
        """Address of the whole server without a slash at the end, as clients know it."""
        if self.base_url:
            return self.base_url
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def fhir_base(self) -> str:
        """The FHIR service base URL, without a slash at the end."""
        return self.public_url + FHIR_PATH

    @property
    def own_hosts(self) -> frozenset[str]:
        """Names, as they stand in a Host header, by which this machine's own clients know us."""
        public = urlsplit(self.public_url).netloc.lower()
        return frozenset({"localhost", "127.0.0.1", "[::1]", re.sub(r":\d+$", "", public)})

    @property
    def store_url(self) -> str:
        return self.store or f"{_SQLITE}{self.data / 'fhir.db'}"

    @property
    def blobs(self) -> Path | None:
        """Folder of the content of files; None when the store's database keeps it.

        Beside the store it is found from wherever a command runs. It is named after the store, so
        that two stores in one data folder share nothing.
        """
        if not self.store_url.startswith(_SQLITE):
            return None
        path = Path(self.store_url.removeprefix(_SQLITE))
        folder = self.data if "data" in self.model_fields_set else path.parent
        return folder / f"{path.name}-blobs"

    @cached_property
    def time_zone(self) -> tzinfo:
        return _zone(self.zone)

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        value = value.rstrip("/")
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.netloc):
            raise ValueError("a base URL begins with http:// or https:// and a host name")
        if parts.query or parts.fragment or parts.username is not None:
            raise ValueError("a base URL has no query, no fragment and no user")
        if value.endswith(FHIR_PATH):
            raise ValueError(f"leave {FHIR_PATH} off: it is added, as other pages lie beside it")
        return value

    @field_validator("store")
    @classmethod
    def _check_store(cls, value: str) -> str:
        if value and not value.startswith(_STORES):
            raise ValueError("a store is sqlite:PATH, mongodb://… or mongodb+srv://…")
        if value == _SQLITE:
            raise ValueError("sqlite: needs the path of a file behind it")
        return value

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, value: str) -> str:
        _zone(value)
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.open and not is_loopback(self.host):
            raise ValueError(
                f"There is no sign-in with --open, so it listens on a loopback address only,"
                f" such as 127.0.0.1, and not on {self.host}"
            )
        if self.host in {"0.0.0.0", "::"} and not self.base_url:  # noqa: S104 -- compared, not bound
            raise ValueError(
                f"{PREFIX}BASE_URL must be set when {PREFIX}HOST is {self.host}:"
                f" links need the address that clients use"
            )
        if self.drain_delay + self.drain_timeout > MOST_DRAIN:
            raise ValueError(
                f"{PREFIX}DRAIN_DELAY and {PREFIX}DRAIN_TIMEOUT are"
                f" {self.drain_delay + self.drain_timeout:g} s together: the server ends within"
                f" {MOST_DRAIN} s of the signal to stop, so shorten one of them"
            )
        if self.page_size > self.max_page_size:
            raise ValueError(f"{PREFIX}PAGE_SIZE is larger than {PREFIX}MAX_PAGE_SIZE")
        return self


def load_settings(**overrides: object) -> Settings:
    """Settings from the arguments that are not None, the environment and `.env`.

    Raises InvalidSettings, whose message is for the operator and shows no secret.
    """
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise InvalidSettings("\n".join(map(_sentence, error.errors()))) from None


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + setting.upper()


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not the name of a time zone, such as Europe/Berlin") from None


def _sentence(error: Any) -> str:
    """One complaint of pydantic's in words that name the variable and, unless secret, its value."""
    reason = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return _ended(reason)
    name = str(error["loc"][0])
    value = "" if name in _SECRETS else f" is {error['input']!r}"
    return _ended(f"{variable(name)}{value or ' is wrong'}: {reason[:1].lower()}{reason[1:]}")


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith(".") else f"{sentence}."
