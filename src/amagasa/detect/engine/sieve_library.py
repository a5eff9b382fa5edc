"""The sieve's functions in the native library."""

import ctypes
from enum import IntEnum
from functools import lru_cache
from typing import Any

from amagasa.event.native import library

N_REASONS = 9


class Addition(IntEnum):
    """What can be added to a sieve in use."""

    KEYS = 0
    FIELD = 1
    ROUTE = 2
    PLACE = 3
    WATCH = 4


class Scan(ctypes.Structure):
    """What one scan is given and gives back; `at` and `line` say where to go on."""

    _fields_ = (
        ("data", ctypes.c_char_p),
        ("n_bytes", ctypes.c_uint64),
        ("format", ctypes.c_uint64),
        ("hits", ctypes.c_void_p),
        ("n_hits", ctypes.c_uint64),
        ("named", ctypes.c_void_p),
        ("max_named", ctypes.c_uint64),
        ("n_named", ctypes.c_uint64),
        ("asking", ctypes.c_void_p),
        ("max_asking", ctypes.c_uint64),
        ("n_asking", ctypes.c_uint64),
        ("at", ctypes.c_uint64),
        ("line", ctypes.c_uint64),
        ("n_records", ctypes.c_uint64),
        ("stops_at_unknown", ctypes.c_uint64),
        ("asked", ctypes.c_uint64),
        ("fresh", ctypes.c_void_p),
        ("max_fresh", ctypes.c_uint64),
        ("n_fresh", ctypes.c_uint64),
        ("n_by_reason", ctypes.c_uint64 * N_REASONS),
        ("n_silent", ctypes.c_void_p),
        ("max_silent", ctypes.c_uint64),
    )


class BitsOfTable(ctypes.Structure):
    """A table's sieve of bits, where the CRC-32 begins, and how far a key is shifted to give the place of its bit."""

    _fields_ = (
        ("bits", ctypes.c_char_p),
        ("n_bytes", ctypes.c_uint64),
        ("seed", ctypes.c_uint32),
        ("shift", ctypes.c_uint32),
    )


@lru_cache(maxsize=1)
def sieve_library() -> Any:
    """The library with the sieve's functions declared; None where it was not built."""
    found = library()
    if found is None:
        return None
    found.sieve_key_words.restype = ctypes.c_uint32
    found.sieve_new.restype = ctypes.c_void_p
    found.sieve_new.argtypes = (*(ctypes.c_char_p, ctypes.c_size_t) * 3,)
    found.sieve_add.restype = ctypes.c_uint32
    found.sieve_add.argtypes = (
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32),
        *(ctypes.c_char_p, ctypes.c_size_t) * 2,
    )
    found.sieve_watch_anew.restype = None
    found.sieve_watch_anew.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    found.sieve_watch_on.restype = None
    found.sieve_watch_on.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    found.sieve_heat.restype = None
    found.sieve_heat.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t)
    found.sieve_listed.restype = ctypes.c_uint32
    found.sieve_listed.argtypes = (
        *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t),
        *(ctypes.POINTER(BitsOfTable), ctypes.c_size_t),
    )
    found.sieve_speak.restype = None
    found.sieve_speak.argtypes = (ctypes.c_void_p,)
    found.sieve_silence.restype = None
    found.sieve_silence.argtypes = (
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32),
        *(ctypes.c_char_p, ctypes.c_size_t) * 2,
        ctypes.c_uint32,
    )
    found.sieve_scan.restype = None
    found.sieve_scan.argtypes = (ctypes.c_void_p, ctypes.POINTER(Scan))
    found.sieve_free.restype = None
    found.sieve_free.argtypes = (ctypes.c_void_p,)
    return found
