"""A checkpoint that a manifest names by its URI: whether it is one of ours, or what it is instead."""

from itertools import islice

from trainjobs.core.checkpoints.layout import CHECKPOINTS, MANIFEST
from trainjobs.core.checkpoints.manifest import Manifest
from trainjobs.core.uris import below
from trainjobs.errors import InvalidRecipe
from trainjobs.storage.complete import read_manifest
from trainjobs.storage.store import Store

STATE = "trainer_state.json"
"""What every checkpoint of our own training has, and a model has not."""
_FOREIGN = (STATE, "config.json", "adapter_config.json")
_FOREIGN_WEIGHTS = (".safetensors", ".bin", ".pt", ".ckpt")
_KEYS_LOOKED_AT = 2000


def require_checkpoint(store: Store, *, of_own_training: bool) -> Manifest:
    """Return the manifest of the checkpoint at the root of a store.

    Args:
        store: the folder that the manifest names.
        of_own_training: False where a script of the user's own resumes, from whatever it saved.

    Raises:
        InvalidRecipe: none is there that training can go on from; says what is there instead, or what of it
            is gone by storage's own word.
        CorruptCheckpoint: its manifest is not whole, as it is read here.
        AccessDenied, StorageUnavailable: it cannot be read.
    """
    if store.head(MANIFEST) is None:
        keys = [info.key for info in islice(store.list(), _KEYS_LOOKED_AT)]
        raise InvalidRecipe(f"{store.uri}: {_instead(store, keys)}")
    manifest = read_manifest(store)
    if of_own_training and not any(entry.path == STATE for entry in manifest.files):
        raise InvalidRecipe(
            f"{store.uri}: holds a model, without the state that training goes on from; name a checkpoint, "
            "or give this in spec.baseModel.uri to begin from its weights"
        )
    _require_files(store, manifest)
    return manifest


def _require_files(store: Store, manifest: Manifest) -> None:
    """Refuse what storage has lost, or holds cut off: reading it again, anywhere, is of no use."""
    sizes = {info.key: info.size for info in store.list()}
    for entry in manifest.files:
        size = sizes.get(entry.path)
        if size != entry.size:
            lacks = "is gone" if size is None else f"has {size} bytes instead of {entry.size}"
            raise InvalidRecipe(f"{store.uri}/{entry.path}: {lacks}; name another checkpoint")


def _instead(store: Store, keys: list[str]) -> str:
    if not keys:
        return f"nothing is there; give the folder of a checkpoint, with its {MANIFEST}"
    parts = [key.split("/") for key in keys]
    stored = sorted({words[1] for words in parts if len(words) > 2 and words[0] == CHECKPOINTS})
    if stored:
        there = below(store.uri, f"{CHECKPOINTS}/{stored[-1]}")
        return f"is the folder of a run; name one of its checkpoints, as in {there}"
    foreign = sorted(key for key in keys if key in _FOREIGN or key.endswith(_FOREIGN_WEIGHTS))
    if foreign:
        return (
            f"is a checkpoint of Hugging Face or another program ({foreign[0]}), not one of trainjobs, "
            f"which has a {MANIFEST}; give it in spec.baseModel.uri to begin from its weights"
        )
    return f"holds no checkpoint of trainjobs: it has no {MANIFEST}; give the folder of a checkpoint"
