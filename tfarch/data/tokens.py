"""Texts as token ids, computed once: a flat array with offsets, kept in a cache file whose name is the hash of all that it depends on."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfarch.errors import TfarchError
from tfarch.runtime.tokeniser import Tokeniser


class Ragged:
    """n texts of different lengths, one after another in one array: text i is from `offsets[i]` to `offsets[i + 1]`, int64 `[n + 1]`."""

    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, int64 `[n]`; made once, for each batch asks for some of them."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Tokens(Ragged):
    """Token ids of n texts.

    ids: int32 `[total]`, the texts' ids one after another, [CLS] and [SEP] included.
    offsets: int64 `[n + 1]`; text i is `ids[offsets[i]:offsets[i + 1]]`.
    """

    ids: np.ndarray
    offsets: np.ndarray

    @staticmethod
    def joined(parts: Sequence[Tokens]) -> Tokens:
        """The texts of all `parts`, one part after another."""
        offsets = np.concatenate([[0], np.cumsum(np.concatenate([part.lengths for part in parts]))]).astype(np.int64)
        return Tokens(np.concatenate([part.ids for part in parts]), offsets)

    def select(self, rows: np.ndarray) -> Tokens:
        """The texts at `rows` (int `[m]`), in that order."""
        lengths, starts = self.lengths[rows], self.offsets[:-1][rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Tokens(self.ids[np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])], offsets)

    def cut(self, length: int) -> Tokens:
        """The texts of at most `length` tokens; a longer one keeps its first `length` - 1 tokens and its last, [SEP]."""
        keep = np.ones(len(self.ids), bool)
        for row in np.flatnonzero(self.lengths > length):
            keep[self.offsets[row] + length - 1 : self.offsets[row + 1] - 1] = False
        return Tokens(self.ids[keep], np.concatenate([[0], np.cumsum(np.minimum(self.lengths, length))]).astype(np.int64))

    @staticmethod
    def signature() -> dict[str, tuple[tuple[int | None, ...], str]]:
        """Shape and type of each array of `padded`; None is a size that differs from batch to batch."""
        return dict.fromkeys(("ids", "mask", "segment_ids"), ((None, None), "int32"))

    def padded(self, rows: Sequence[int], length: int) -> dict[str, np.ndarray]:
        """The model's inputs for `rows`: int32 `[rows, length]` ids, mask and segment_ids; a longer text is cut, a row of -1 is all padding."""
        ids = np.zeros((len(rows), length), np.int32)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            if row >= 0:
                text = self.ids[self.offsets[row] : self.offsets[row + 1]][:length]
                ids[place, : len(text)] = text
                mask[place, : len(text)] = 1
        return {"ids": ids, "mask": mask, "segment_ids": np.zeros_like(ids)}


def tokenise(texts: Sequence[str], tokeniser: Tokeniser, max_length: int, cache: Path | None = None) -> Tokens:
    """Token ids of `texts`, cut to `max_length`; read from `cache` (a folder) where the same texts were tokenised the same way before.

    A damaged cache file is made again.

    Raises:
        TfarchError: the cache cannot be written.
    """
    file = None if cache is None else cache / f"tokens-{_fingerprint(texts, tokeniser, max_length)}.npz"
    if file is not None and (stored := _read(file)) is not None:
        return stored
    encoded = tokeniser.encode(texts, max_length)
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(each) for each in encoded], out=offsets[1:])
    tokens = Tokens(np.concatenate(encoded).astype(np.int32) if encoded else np.zeros(0, np.int32), offsets)
    if file is not None:
        temporary = file.with_suffix(f".{os.getpid()}.part")
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as stream:
                np.savez(stream, ids=tokens.ids, offsets=tokens.offsets)
            os.replace(temporary, file)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise TfarchError(f"{file} could not be written: {error.strerror}") from error
    return tokens


def _read(file: Path) -> Tokens | None:
    """The tokens of a cache file; None where there is none or it is damaged, as a full disk or a copy that was cut may leave it."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            return Tokens(stored["ids"], stored["offsets"])
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile):  # what a wrong byte can raise
        return None


def _fingerprint(texts: Sequence[str], tokeniser: Tokeniser, max_length: int) -> str:
    digest = hashlib.sha256(json.dumps([tokeniser.as_dict(), max_length, *tokeniser.vocabulary]).encode())
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:24]
