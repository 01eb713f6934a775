"""What an S3 server said, read back from obstore's text, and where it was asked."""

import re
from dataclasses import dataclass
from html import unescape

from trainjobs.errors import TrainjobsError

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,100})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,300})</Message>")
_DETAILS = re.compile(r"<(?:Details|Header|ArgumentName)>([^<]{1,200})</")
_SERVER_TIME = re.compile(r"<ServerTime>([0-9TZ:.-]{1,40})</ServerTime>")
# Of an object that a listing names and no path can: as Rust prints it, escaped.
_KEY = re.compile(r'path: "((?:[^"\\]|\\.){1,300})"')


REGION = "spec.checkpoints.storage.region (AWS_REGION)"
ENDPOINT = "spec.checkpoints.storage.endpoint (AWS_ENDPOINT_URL)"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request went, for messages: never a key itself."""

    bucket: str
    endpoint: str
    keys_from: str
    region: str

    def __str__(self) -> str:
        return f"s3://{self.bucket} at {self.endpoint}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error to raise, and whether trying again within seconds may help."""

    error: TrainjobsError
    transient: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A server's answer."""

    text: str
    """All that obstore tells of it."""
    status: int | None
    """None where there was no answer."""
    code: str
    message: str
    details: str

    @classmethod
    def read(cls, text: str) -> "Said":
        """Read the answer out of the text of an exception of obstore."""
        status = _first(_STATUS, text)
        return cls(
            text=text,
            status=int(status) if status else None,
            code=_first(_CODE, text),
            message=_first(_MESSAGE, text),
            details=_first(_DETAILS, text),
        )

    @property
    def words(self) -> str:
        """Status, code, and the server's own sentence, as far as it said them."""
        sentence = self.message.rstrip(".")
        if self.details and self.details not in sentence:
            sentence = f"{sentence} ({self.details.rstrip('.')})" if sentence else self.details
        named = " ".join(part for part in (str(self.status or ""), self.code) if part)
        return f"{named}: {sentence}" if named and sentence else named or sentence

    @property
    def server_time(self) -> str:
        """The server's clock, for the end of a sentence about it."""
        time = _first(_SERVER_TIME, self.text)
        return f" (the server's says {time})" if time else ""

    @property
    def key(self) -> str:
        """The key that an error about a path is about, with what cannot be printed escaped."""
        return match[1] if (match := _KEY.search(self.text)) else ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    return " ".join(unescape(match[1]).split()) if (match := pattern.search(text)) else ""
