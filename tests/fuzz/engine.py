"""Hypothesis over bytes: seeds changed in small ways, words that decoders care about, and bytes out of nothing."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

WORDS: Final = (
    b"NaN", b"-Infinity", b"1e999", b"-0.0", b"-0", b"null", b"true", b"{}", b"[]", b'""', b"\x00", b"\\u0000",
    b"\\ud800", b"\xff\xfe", b"\xef\xbb\xbf", "水位".encode("gbk"), "𠮷".encode("gb18030"), b"\xc0\xaf", b"\xed\xa0\x80",
    b"1970-01-01T00:00:00Z", b"9999-12-31T23:59:59Z", b"0000-00-00", b"2026-02-30", b"1e308", b"9" * 400, b"[" * 300,
    b'{"a":' * 100, b"city.reading.v2", b"GCJ-02", b"<x>", b"]]>", b"&a;", b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b'<mergeCell ref="A1:XFD1048576"/>', b'r="XFD1048576"', b",", b'"', b"\r\n", b"\t", b"=1/0", b"#REF!", b"a" * 2000,
)  # fmt: skip
"""Poison, clocks, numbers that are none, halves of characters, markup."""
BATCH: Final = 50


BLOCK: Final = 40
"""Further inputs made of each that Hypothesis draws: drawing is far slower than changing a few bytes."""


def changed(data: bytes, kind: int, place: float, length: int, word: bytes) -> bytes:
    """`data` with a word put in, put in place of something, or something taken away."""
    at = int(place * len(data))
    match kind:
        case 0:
            return data[:at] + word + data[at:]
        case 1:
            return data[:at] + word + data[at + max(length, 1) :]
        case _:
            return data[:at] + data[at + length * 7 :]


def inputs(found: list[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes near the seeds, and bytes out of nothing."""
    edit = st.tuples(
        st.integers(0, 2), st.floats(0, 1), st.integers(0, 8), st.sampled_from(WORDS) | st.binary(max_size=6)
    )

    def edited(drawn: tuple[bytes, list[tuple[int, float, int, bytes]]]) -> bytes:
        data, edits = drawn
        for one in edits:
            data = changed(data, *one)
        return data

    near = st.tuples(st.sampled_from(found or [b""]), st.lists(edit, max_size=6)).map(edited)
    return (
        near
        | st.binary(max_size=400)
        | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass"))
    )


def block(data: bytes, number: int) -> Iterator[bytes]:
    """`data`, and BLOCK inputs made of it, the same for the same number; none for 0."""
    yield data
    dice = Random(number)
    for _ in range(BLOCK if number else 0):
        made = data
        for _ in range(dice.randrange(1, 5)):
            word = dice.choice(WORDS) if dice.random() < 0.5 else dice.randbytes(dice.randrange(1, 4))
            made = changed(made, dice.randrange(3), dice.random(), dice.randrange(9), word)
        yield made


@dataclass(slots=True)
class Run:
    """What a run came to."""

    inputs: int = 0
    seconds: float = 0.0
    grown_mb: float = 0.0
    crash: bytes | None = None
    error: str = ""


def fuzz(target: Callable[[bytes], None], found: list[bytes], seconds: float, most: int = 1_000_000) -> Run:
    """Until so many seconds or inputs have passed, or the first crash, made small by Hypothesis."""
    run = Run()
    began = time.monotonic()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def attempt(data: bytes, number: int) -> None:
        for made in block(data, number):
            if time.monotonic() - began > seconds and run.crash is None and run.inputs >= 20:
                return  # what is left of the batch; a crash is still made small
            run.inputs += 1
            try:
                target(made)
            except BaseException:
                run.crash = made
                raise

    number = 0
    while time.monotonic() - began < seconds and run.inputs < most:
        number += 1
        batch = settings(
            max_examples=BATCH, deadline=None, database=None, derandomize=False, report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck), print_blob=False,
        )  # fmt: skip
        try:
            seed(number)(batch(given(inputs(found), st.integers(0, 2**32))(attempt)))()
        except BaseException as error:
            run.error = f"{type(error).__name__}: {error}"
            if not isinstance(error, Exception):
                raise
            break
    run.seconds = time.monotonic() - began
    run.grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024
    return run
