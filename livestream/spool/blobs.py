"""Payloads of 64 KiB and more lie beside the segments as files: ``blobs/<sha256>-<8 hex digits>``.

A blob is in place before the row that names it, so a row never names a file that is not there. Every blob belongs to
exactly one event (hence the digits behind its digest): two events with the same bytes have a file each, so that the
daemon may remove one event's blobs without asking whether a writer is about to use them again. A blob that no row names
is what a killed writer left, and goes with its folder.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from livestream.errors import CorruptSpoolError
from livestream.spool.layout import BLOB_FOLDER

INLINE_BYTES: Final = 64 * 1024
"""From here on a file is cheaper than a row (measured: 1 MB as a row 1.06 ms and 17 ms at p99, as a file 0.45 ms)."""


def blob_path(folder: Path, name: str) -> Path:
    """Give the path of a blob in a writer's folder."""
    return folder / BLOB_FOLDER / name


def put_blob(folder: Path, content: bytes | memoryview) -> str:
    """Store a payload; give its name.

    Raises:
        OSError: It could not be stored; nothing is left behind.
    """
    suffix = secrets.token_hex(4)
    name = f"{hashlib.sha256(content).hexdigest()}-{suffix}"
    path = blob_path(folder, name)
    temporary = path.with_name(f".{suffix}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            remaining = memoryview(content).cast("B")
            while remaining:
                remaining = remaining[os.write(descriptor, remaining) :]
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return name


def read_blob(folder: Path, name: str) -> bytes:
    """Read a payload back.

    Raises:
        OSError: It is not there, or cannot be read.
        CorruptSpoolError: Its bytes are not those that were stored.
    """
    content = blob_path(folder, name).read_bytes()
    if hashlib.sha256(content).hexdigest() != name.partition("-")[0]:
        raise CorruptSpoolError(f"blob {name} does not match its digest")
    return content


def sync_blob(folder: Path, name: str) -> None:
    """Make one blob survive a power cut; one that is gone needs nothing."""
    try:
        descriptor = os.open(blob_path(folder, name), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
