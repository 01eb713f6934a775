"""Where everything of a run lies in storage: the keys, made and read back.

    <namespace>/<kind>/<name>-<uid8>/
      recipe.yaml
      attempts/0003.json
      attempts/0003.resume.json
      attempts/0003.damaged-0001.json
      attempts/0003.misread-<digest>.node-1.txt
      attempts/0003.turn.json
      checkpoints/step-00000100-a0003/…files…
      checkpoints/step-00000100-a0003/parts/0001/…files and manifest of node 1…
      checkpoints/step-00000100-a0003/MANIFEST.json
      artifacts/<name>-a0003/…files…
      artifacts/<name>-a0003/MANIFEST.json
      logs/attempt-0003/node-1.log.gz
      result.json

The attempt is part of the folder of a checkpoint and of an artifact, so that keys of two attempts never
meet: which artifacts are the run's, its result says, which is created once; the others are deleted then.
Numbers are padded, so that a listing in the order of bytes is a listing in the order of time.
"""

import hashlib
import re
from dataclasses import dataclass

from trainjobs.errors import InvalidRecipe

RECIPE = "recipe.yaml"
RESULT = "result.json"
MANIFEST = "MANIFEST.json"
ATTEMPTS = "attempts"
CHECKPOINTS = "checkpoints"
ARTIFACTS = "artifacts"
LOGS = "logs"

# S3 allows keys of 1,024 bytes; common file systems names of 255.
MAX_KEY_BYTES = 1024
MAX_SEGMENT_BYTES = 255
# Numbers beyond the padding still parse: they only sort less prettily.
MAX_STEP = 10**15
MAX_ATTEMPT = 10**9

_CHECKPOINT = re.compile(r"step-(\d{8,16})-a(\d{4,10})")
_ARTIFACT = re.compile(r"(.+)-a(\d{4,10})")
_ATTEMPT = re.compile(r"(\d{4,10})\.json")
_FINDING = re.compile(r"(\d{4,10})\.damaged-(\d{4})\.json")
_LOG = re.compile(r"logs/attempt-(\d{4,10})/node-(\d{1,6})\.log\.gz")
_WORD = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_PARTIAL = re.compile(r"\..*\.partial")


def safe_key(key: str) -> str:
    """Return `key` unchanged if it is a relative path that stays inside its root.

    Keys come from manifests, listings and user input: this is the one gate before a byte is
    written. Segments are separated by `/`; `.`, `..`, empty segments, backslashes, control
    characters and names like `.x.partial` (a file being written) are refused.

    Raises:
        InvalidRecipe: names the key and what is wrong with it.
    """
    problem = _problem(key)
    if problem is not None:
        raise InvalidRecipe(f"storage key {key!r:.200}: {problem}")
    return key


def _problem(key: str) -> str | None:
    if not key:
        return "it is empty"
    if any(ord(character) < 32 or ord(character) == 127 for character in key):
        return "control characters are not allowed"
    if "\\" in key:
        return "backslashes are not allowed; separate folders by '/'"
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "it is not valid UTF-8"
    if size > MAX_KEY_BYTES:
        return f"it has {size} bytes, more than {MAX_KEY_BYTES}"
    for segment in key.split("/"):
        if segment in ("", ".", ".."):
            return "it must be a relative path without empty, '.' or '..' parts"
        if len(segment.encode()) > MAX_SEGMENT_BYTES:
            return f"a part of it is longer than {MAX_SEGMENT_BYTES} bytes"
        if _PARTIAL.fullmatch(segment):
            return "names of the form '.*.partial' are kept for files being written"
    return None


def run_prefix(namespace: str, kind: str, name: str, uid: str) -> str:
    """Return the folder of one run, without a slash at the end: `ml/RewardModelRun/ratings-1a2b3c4d`.

    Raises:
        InvalidRecipe: a part is not a plain word, or the UID is shorter than 8 characters.
    """
    for field, value in (("namespace", namespace), ("kind", kind), ("name", name), ("uid", uid)):
        if not _WORD.fullmatch(value) or ".." in value:
            raise InvalidRecipe(f"run {field} {value!r:.100}: use letters, digits, '-', '_' and '.' only")
    if len(uid) < 8:
        raise InvalidRecipe(f"run uid {uid!r}: give at least 8 characters")
    return safe_key(f"{namespace}/{kind}/{name}-{uid[:8]}")


def attempt_key(attempt: int) -> str:
    """Return the key of an attempt's claim: `attempts/0003.json`."""
    return f"{ATTEMPTS}/{_attempt(attempt):04d}.json"


def resumption_key(attempt: int) -> str:
    """Return the key that says where an attempt goes on: `attempts/0003.resume.json`."""
    return f"{ATTEMPTS}/{_attempt(attempt):04d}.resume.json"


def finding_key(attempt: int, node: int) -> str:
    """Return the key that says what a node found damaged: `attempts/0003.damaged-0001.json`."""
    return f"{ATTEMPTS}/{_attempt(attempt):04d}.damaged-{_other_node(node):04d}.json"


def parse_finding_key(key: str) -> tuple[int, int] | None:
    """Return (attempt, node) of a finding's key, or None when it is not the key of one."""
    folder, _, name = key.rpartition("/")
    match = _FINDING.fullmatch(name)
    if folder != ATTEMPTS or match is None:
        return None
    attempt, node = int(match[1]), int(match[2])
    if not (1 <= attempt <= MAX_ATTEMPT and node):
        return None
    return (attempt, node) if finding_key(attempt, node) == key else None


def misread_key(attempt: int, node_rank: int, problem: str) -> str:
    """Return the key that says that a node of an attempt has read something damaged, in these very words."""
    return f"{ATTEMPTS}/{_attempt(attempt):04d}{_misread_mark(problem)}node-{node_rank}.txt"


def is_misread_key(key: str, problem: str) -> bool:
    """Whether a node of any attempt has said so of the same damage."""
    return key.startswith(f"{ATTEMPTS}/") and _misread_mark(problem) in key


def _misread_mark(problem: str) -> str:
    return f".misread-{hashlib.sha256(problem.encode()).hexdigest()[:24]}."


def turn_key(attempt: int) -> str:
    """Return the key that says which checkpoint an attempt's nodes store now: `attempts/0003.turn.json`."""
    return f"{ATTEMPTS}/{_attempt(attempt):04d}.turn.json"


def parse_attempt_key(key: str) -> int | None:
    """Return the attempt that a key claims, or None when it is not the key of a claim."""
    folder, _, name = key.rpartition("/")
    match = _ATTEMPT.fullmatch(name)
    if folder != ATTEMPTS or match is None:
        return None
    attempt = int(match[1])
    return attempt if 1 <= attempt <= MAX_ATTEMPT and attempt_key(attempt) == key else None


@dataclass(frozen=True, slots=True, order=True)
class CheckpointRef:
    """Names one checkpoint of a run; sorts by step, then by attempt."""

    step: int
    attempt: int

    def __post_init__(self) -> None:
        _attempt(self.attempt)
        if not 0 <= self.step <= MAX_STEP:
            raise ValueError(f"step {self.step} is outside 0…{MAX_STEP}")

    @property
    def name(self) -> str:
        """The folder's name: `step-00000100-a0003`."""
        return f"step-{self.step:08d}-a{self.attempt:04d}"

    @property
    def folder(self) -> str:
        """The folder's key: `checkpoints/step-00000100-a0003`."""
        return f"{CHECKPOINTS}/{self.name}"

    @property
    def manifest_key(self) -> str:
        """The key whose object makes the checkpoint exist."""
        return f"{self.folder}/{MANIFEST}"

    def __str__(self) -> str:
        return self.name


def parse_checkpoint_name(name: str) -> CheckpointRef | None:
    """Return the checkpoint that a folder's name names, or None for any other name."""
    match = _CHECKPOINT.fullmatch(name)
    if match is None:
        return None
    step, attempt = int(match[1]), int(match[2])
    if step > MAX_STEP or not 1 <= attempt <= MAX_ATTEMPT:
        return None
    ref = CheckpointRef(step, attempt)
    return ref if ref.name == name else None


def parse_checkpoint_key(key: str) -> CheckpointRef | None:
    """Return the checkpoint that a key belongs to, or None when it lies elsewhere."""
    parts = key.split("/", 2)
    return parse_checkpoint_name(parts[1]) if len(parts) == 3 and parts[0] == CHECKPOINTS else None


@dataclass(frozen=True, slots=True, order=True)
class ArtifactRef:
    """Names one artifact of one attempt; the same name of another attempt is another artifact.

    Raises:
        InvalidRecipe: the name is not one plain word.
    """

    name: str
    attempt: int

    def __post_init__(self) -> None:
        _attempt(self.attempt)
        if not _is_word(self.name):
            raise InvalidRecipe(
                f"artifact name {self.name!r:.100}: use letters, digits, '-', '_' and '.' only"
            )

    @property
    def folder(self) -> str:
        """The folder's key: `artifacts/model-a0003`."""
        return f"{ARTIFACTS}/{self.name}-a{self.attempt:04d}"

    @property
    def manifest_key(self) -> str:
        """The key whose object makes the artifact exist."""
        return f"{self.folder}/{MANIFEST}"


def parse_artifact_folder(folder: str) -> ArtifactRef | None:
    """Return the artifact whose folder this is, or None for any other key."""
    kind, _, name = folder.partition("/")
    match = _ARTIFACT.fullmatch(name)
    if kind != ARTIFACTS or match is None or not _is_word(match[1]) or not 1 <= int(match[2]) <= MAX_ATTEMPT:
        return None
    ref = ArtifactRef(match[1], int(match[2]))
    return ref if ref.folder == folder else None


def parse_artifact_key(key: str) -> ArtifactRef | None:
    """Return the artifact that a key belongs to, or None when it lies elsewhere."""
    parts = key.split("/", 2)
    return parse_artifact_folder("/".join(parts[:2])) if len(parts) == 3 else None


def log_key(attempt: int, node_rank: int) -> str:
    """Return the key of what a node of an attempt printed last: `logs/attempt-0003/node-1.log.gz`."""
    return f"{LOGS}/attempt-{_attempt(attempt):04d}/node-{node_rank}.log.gz"


def parse_log_key(key: str) -> tuple[int, int] | None:
    """Return (attempt, node) of a log's key, or None when it is not the key of a log."""
    match = _LOG.fullmatch(key)
    return (int(match[1]), int(match[2])) if match is not None else None


def split_place(place: str) -> tuple[str, str]:
    """Take the URI or path of a run's part apart: (the run's folder, the part's folder in it).

    What names no part is a whole: `s3://models/run` → (`s3://models/run`, "").
    """
    above, _, name = place.rstrip("/").rpartition("/")
    run, _, kind = above.rpartition("/")
    part = f"{kind}/{name}"
    is_checkpoint = kind == CHECKPOINTS and parse_checkpoint_name(name) is not None
    if run and (is_checkpoint or parse_artifact_folder(part) is not None):
        return run, part
    return place, ""


def _is_word(name: str) -> bool:
    return _WORD.fullmatch(name) is not None and ".." not in name


def _other_node(node: int) -> int:
    """A node other than node 0, which writes where every reader looks."""
    if not 1 <= node <= 9999:
        raise ValueError(f"node {node} is outside 1…9999")
    return node


def _attempt(attempt: int) -> int:
    if not 1 <= attempt <= MAX_ATTEMPT:
        raise ValueError(f"attempt {attempt} is outside 1…{MAX_ATTEMPT}")
    return attempt
