"""The attempts of a run in storage: claimed once each, the newest owns the run, and where each goes on."""

from trainjobs.core.checkpoints.claim import Claim, fenced_by
from trainjobs.core.checkpoints.finding import Finding
from trainjobs.core.checkpoints.layout import (
    ATTEMPTS,
    attempt_key,
    finding_key,
    is_misread_key,
    misread_key,
    parse_attempt_key,
    parse_finding_key,
    resumption_key,
)
from trainjobs.core.checkpoints.resumption import Resumption
from trainjobs.errors import CorruptCheckpoint, Fenced, InvalidRecipe
from trainjobs.storage.store import AlreadyExists, ObjectNotFound, Store
from trainjobs.storage.transfer import in_parallel


class Attempts:
    """The claims in a run's folder, and the records of where each attempt went on."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def numbers(self) -> tuple[int, ...]:
        """Return the attempts that were claimed, oldest first."""
        found = (parse_attempt_key(info.key) for info in self._store.list(ATTEMPTS))
        return tuple(sorted(attempt for attempt in found if attempt is not None))

    def resumptions(self) -> tuple[Resumption, ...]:
        """Return where attempts went on, oldest first, as far as they have chosen and can be read."""
        found = in_parallel(self._readable, self.numbers(), self._store.files_at_once)
        return tuple(record for record in found if record is not None)

    def claim_of(self, attempt: int) -> Claim | None:
        """Return the claim of an attempt, or None when there is none.

        Raises:
            CorruptCheckpoint: it cannot be read.
        """
        key = attempt_key(attempt)
        try:
            data = self._store.get(key)
        except ObjectNotFound:
            return None
        claim = Claim.from_json(data, f"{self._store.uri}/{key}")
        if claim.attempt != attempt:
            raise CorruptCheckpoint(f"{self._store.uri}/{key}: is the claim of attempt {claim.attempt}")
        return claim

    def create(self, claim: Claim) -> Claim:
        """Write a claim that must not exist, and return it.

        The same owner may write it again, after an answer was lost, and gets the one that is there.

        Raises:
            Fenced: a newer attempt, or this one for another owner, has been claimed.
            InvalidRecipe: the store lets an object be created twice.
        """
        self.require_newest(claim.attempt)
        try:
            self._store.create(attempt_key(claim.attempt), claim.to_json())
        except AlreadyExists:
            return self._same_owner(claim)
        self._require_created_once(claim)
        self.require_newest(claim.attempt)
        return claim

    def resumption_of(self, attempt: int) -> Resumption | None:
        """Return where an attempt goes on, or None while it has not chosen.

        Raises:
            CorruptCheckpoint: the record cannot be read.
        """
        key = resumption_key(attempt)
        try:
            data = self._store.get(key)
        except ObjectNotFound:
            return None
        record = Resumption.from_json(data, f"{self._store.uri}/{key}")
        if record.attempt != attempt:
            raise CorruptCheckpoint(f"{self._store.uri}/{key}: is the record of attempt {record.attempt}")
        return record

    def record(self, resumption: Resumption) -> Resumption:
        """Write where an attempt goes on, and return it; what it has recorded before holds.

        Raises:
            Fenced: a newer attempt owns the run.
        """
        self.require_newest(resumption.attempt)
        try:
            self._store.create(resumption_key(resumption.attempt), resumption.to_json())
        except AlreadyExists:
            return self.resumption_of(resumption.attempt) or resumption
        return resumption

    def tell(self, finding: Finding) -> None:
        """Write what a node found damaged, so that later attempts go on from another checkpoint.

        Raises:
            Fenced: a newer attempt owns the run.
        """
        self.require_newest(finding.attempt)
        self._store.put(finding_key(finding.attempt, finding.node), finding.to_json())

    def findings(self) -> tuple[Finding, ...]:
        """Return what nodes of all attempts found damaged, as far as it can be read."""
        keys = [info.key for info in self._store.list(ATTEMPTS) if parse_finding_key(info.key) is not None]
        found = in_parallel(self._finding, keys, self._store.files_at_once)
        return tuple(one for one in found if one is not None)

    def is_seen_again(self, problem: str, *, attempt: int, node_rank: int) -> bool:
        """Return whether another attempt or node has read the same damage; note that this one has.

        Args:
            problem: says what was read, with its checksum: a machine that damages what it reads does so
                differently every time.
        """
        own = misread_key(attempt, node_rank, problem)
        seen = {info.key for info in self._store.list(ATTEMPTS) if is_misread_key(info.key, problem)}
        if own not in seen:
            self._store.put(own, f"{problem}\n".encode())
        return bool(seen - {own})

    def require_newest(self, attempt: int) -> None:
        """Refuse to go on when a newer attempt owns the run.

        Raises:
            Fenced: names the newer attempt.
        """
        newer = fenced_by(attempt, self.numbers())
        if newer is not None:
            raise Fenced(
                f"{self._store.uri}: attempt {newer} has taken over; attempt {attempt} must not write", newer
            )

    def _require_created_once(self, claim: Claim) -> None:
        """Create the claim that is there again: a store that lets it would let another owner, too."""
        key = attempt_key(claim.attempt)
        try:
            self._store.create(key, claim.to_json())
        except AlreadyExists:
            return
        raise InvalidRecipe(
            f"{self._store.uri}: this store does not heed If-None-Match: it let {key} be created twice, so "
            "two attempts could both own the run; give spec.checkpoints.storage one with conditional writes"
        )

    def _same_owner(self, claim: Claim) -> Claim:
        there = self.claim_of(claim.attempt)
        if there is None or there.token != claim.token:
            owner = "" if there is None else f" by job {there.job_uid}, pod {there.pod_uid}"
            raise Fenced(
                f"{self._store.uri}: attempt {claim.attempt} is claimed already{owner}", claim.attempt
            )
        return there

    def _finding(self, key: str) -> Finding | None:
        try:
            return Finding.from_json(self._store.get(key), f"{self._store.uri}/{key}")
        except (CorruptCheckpoint, ObjectNotFound):
            return None

    def _readable(self, attempt: int) -> Resumption | None:
        try:
            return self.resumption_of(attempt)
        except CorruptCheckpoint:
            return None
