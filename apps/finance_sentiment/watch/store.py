"""What outlives a crash, in one SQLite file: positions of the sources, counts, detectors, open alerts, what was seen, and the lines that are still to be
delivered. All that a batch of items changes is written in one transaction, so the file is always as of some moment between two batches.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from tfarch.errors import InputError, TfarchError

VERSION = 1
APPLICATION_ID = 0x74666177  # "tfaw", in the file's head: a database without it, and without our tables, is somebody else's
_SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS positions (source TEXT PRIMARY KEY, position TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS buckets (number INTEGER PRIMARY KEY, counts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, row TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lines (seq INTEGER PRIMARY KEY AUTOINCREMENT, line TEXT NOT NULL, silenced INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS delivered (output TEXT PRIMARY KEY, seq INTEGER NOT NULL, place TEXT);
COMMIT;
"""
_TABLES = frozenset(("facts", "positions", "buckets", "seen", "lines", "delivered"))


class Store:
    """The state of a watch; open to one process at a time, and beside it to those that only read.

    Args:
        read_only: all that is read is as of one moment, and nothing can be written.

    Raises:
        InputError: another watch works with it, or it is no such file.
        TfarchError: it cannot be written.
    """

    def __init__(self, file: Path, *, read_only: bool = False):
        self.file = Path(file)
        self._lock = None if read_only else self._locked()
        self._base = None
        try:
            # Autocommit is off, transactions are ours.
            address = f"{self.file.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
            self._base = sqlite3.connect(address, uri=True, isolation_level=None)
            if read_only:
                self._base.execute("BEGIN")
            whole = self._is_whole(new=not read_only)
            if not read_only:
                # WAL: a process that is killed leaves the last whole transaction.
                self._base.execute("PRAGMA journal_mode=WAL")
                self._base.execute("PRAGMA synchronous=NORMAL")
                if not whole:
                    self._base.executescript(_SCHEMA)
            version = self.fact("version", VERSION)
            if version != VERSION:
                message = f"was written in format {version}; this tfarch reads {VERSION}"
                raise InputError(message, file=self.file, mend="begin with another --state")
        except sqlite3.DatabaseError as error:
            self.close()
            raise InputError(f"is no state of a watch: {error}", file=self.file, mend="choose another --state") from error
        except InputError:
            self.close()
            raise

    def _locked(self) -> TextIO:
        lock = None
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            lock = open(self.file.with_name(f"{self.file.name}.lock"), "w")  # noqa: SIM115 - held until `close`
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise InputError("another watch works with this state", file=self.file, mend="stop it, or choose another --state") from error
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", file=self.file, mend="choose another --state") from error
        return lock

    def _is_whole(self, *, new: bool) -> bool:
        """Whether all is there that has to be; looked at before anything is changed.

        Raises:
            InputError: the file is not ours, nor empty where it may be `new`.
        """
        (number,) = self._base.execute("PRAGMA application_id").fetchone()
        tables = {name for (name,) in self._base.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")}
        # The first states had no number.
        if not (number == APPLICATION_ID or (number == 0 and (tables >= _TABLES or (new and not tables)))):
            raise InputError("is no state of a watch but another database", file=self.file, mend="choose another --state")
        return number == APPLICATION_ID and tables >= _TABLES

    def write(
        self,
        *,
        facts: dict[str, Any],
        positions: dict[str, Any],
        buckets: Iterable[tuple[int, np.ndarray]] = (),
        forget_before: int | None = None,
        seen: Iterable[dict[str, Any]] = (),
        lines: Iterable[dict[str, Any]] = (),
    ) -> None:
        """One transaction with all of it, on the disk when this returns: also a machine that loses its power has it.

        Args:
            facts: by name, each in place of an older one.
            positions: of sources, by their name.
            buckets: counts by number; those of nothing need no row.
            forget_before: buckets before this number are deleted.
            seen: rows of `Duplicates`, each in place of an older one of its id; `rows_seen` gives those again that are not forgotten.
            lines: alert changes that are to be delivered, unless they are `silenced`; each gets its number as `seq`.

        Raises:
            TfarchError: the disk is full or the file cannot be written; then nothing of it is.
        """
        base = self._base
        try:
            base.execute("PRAGMA synchronous=FULL")
            base.execute("BEGIN IMMEDIATE")
            dumped = {"version": VERSION, **facts}
            base.executemany("REPLACE INTO facts VALUES (?, ?)", [(name, json.dumps(value)) for name, value in dumped.items()])
            base.executemany("REPLACE INTO positions VALUES (?, ?)", [(name, json.dumps(value)) for name, value in positions.items()])
            counted = list(buckets)
            base.executemany("REPLACE INTO buckets VALUES (?, ?)", [(number, json.dumps(counts.tolist())) for number, counts in counted])
            base.executemany("DELETE FROM buckets WHERE number = ?", [(number,) for number, counts in counted if not counts.any()])
            if forget_before is not None:
                base.execute("DELETE FROM buckets WHERE number < ?", (forget_before,))
            for row in seen:
                if "forgotten" in row:
                    base.execute("DELETE FROM seen WHERE id = ?", (row["id"],))
                else:
                    base.execute("REPLACE INTO seen VALUES (?, ?)", (row["id"], json.dumps(row)))
            for line in lines:
                silenced = bool(line.get("silenced"))
                number = base.execute("INSERT INTO lines (line, silenced) VALUES ('', ?)", (silenced,)).lastrowid
                base.execute("UPDATE lines SET line = ? WHERE seq = ?", (json.dumps({**line, "seq": number}, ensure_ascii=False), number))
            base.execute("COMMIT")
            base.execute("PRAGMA synchronous=NORMAL")  # what outputs have may be forgotten: they know what they get a second time
        except sqlite3.Error as error:
            self._rolled_back()
            raise TfarchError(f"{self.file} could not be written: {error}") from error

    def _rolled_back(self) -> None:
        if self._base.in_transaction:
            self._base.execute("ROLLBACK")

    def fact(self, name: str, default: Any = None) -> Any:
        """What was written under this name."""
        row = self._base.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    def position(self, source: str) -> Any:
        """Where a source stood; None where it was not read yet."""
        row = self._base.execute("SELECT position FROM positions WHERE source = ?", (source,)).fetchone()
        return None if row is None else json.loads(row[0])

    def buckets(self) -> Iterator[tuple[int, np.ndarray]]:
        """Number and counts of every bucket, in order."""
        for number, counts in self._base.execute("SELECT number, counts FROM buckets ORDER BY number"):
            yield number, np.array(json.loads(counts), np.int64)

    def rows_seen(self) -> Iterator[dict[str, Any]]:
        """The rows that were written as `seen` and are not forgotten."""
        for (row,) in self._base.execute("SELECT row FROM seen"):
            yield json.loads(row)

    def lines_after(self, seq: int, most: int = 1000) -> list[tuple[int, str]]:
        """Number and text of the lines after number `seq` that are not silenced."""
        return self._base.execute("SELECT seq, line FROM lines WHERE seq > ? AND NOT silenced ORDER BY seq LIMIT ?", (seq, most)).fetchall()

    def last_line(self) -> int:
        """The number of the last line, silenced or not; 0 before the first."""
        return self._base.execute("SELECT COALESCE(MAX(seq), 0) FROM lines").fetchone()[0]

    def every_line(self) -> Iterator[dict[str, Any]]:
        """All alert changes that there were."""
        for (line,) in self._base.execute("SELECT line FROM lines ORDER BY seq"):
            yield json.loads(line)

    def delivered(self, output: str) -> tuple[int, Any]:
        """The number of the last line that this output has, and what it noted with it."""
        row = self._base.execute("SELECT seq, place FROM delivered WHERE output = ?", (output,)).fetchone()
        return (0, None) if row is None else (row[0], json.loads(row[1]))

    def begin(self, output: str) -> None:
        """An output that is new gets what comes from now on, and not all that there was.

        Raises:
            TfarchError: the disk is full or the file cannot be written.
        """
        self._note("INSERT OR IGNORE INTO delivered VALUES (?, ?, 'null')", (output, self.last_line()))

    def deliver(self, output: str, seq: int, place: Any = None) -> None:
        """Notes that this output has all lines up to number `seq`.

        Raises:
            TfarchError: the disk is full or the file cannot be written.
        """
        self._note("REPLACE INTO delivered VALUES (?, ?, ?)", (output, seq, json.dumps(place)))

    def _note(self, statement: str, values: tuple[Any, ...]) -> None:
        try:
            self._base.execute(statement, values)
        except sqlite3.Error as error:
            raise TfarchError(f"{self.file} could not be written: {error}") from error

    def close(self) -> None:
        """Lets go of the file."""
        for each in (self._base, self._lock):
            if each is not None:
                each.close()
