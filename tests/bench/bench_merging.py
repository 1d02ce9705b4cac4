"""Merging: a file of citizens' reports with injected duplicates and near-misses through the product's decision, in order of
time; whether each was joined to the very occurrence of its original; then everything is un-merged and compared record by
record. Beside it an oracle that imports nothing of the product: the whole file, and 10,000 random scenes with words.

`--data FILE`: columns as in the Stuttgart file. Issue C, "Must show" 5. What counts: a duplicate is found when it ends in the
occurrence of its original; in another one (another citizen's report of the category lay nearer) it is a miss of recall and
a false join of precision. A near-miss is a false join when it ends with its original; with others of its own category it
is a repeat like any other, reported apart. `pair_precision` looks at the pairs asked only: a duplicate elsewhere is a miss.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from unittest.mock import patch

import numpy as np

from incidents import merging
from incidents.merge_policy import MergePolicy, Reach
from incidents.merging import Band
from incidents.occurrence import Occurrence, Report, in_order, joined, level_of, opened, replies
from incidents.occurrence_index import OccurrencesInMemory, find
from incidents.splitting import emptied, merged, restored, split
from tests.bench import merging_oracle as oracle
from tests.bench.frame import Bench, Figures
from tests.bench.merging_cases import EPOCH, WORDS, Injected, inject, known, moved, read, scene, voice
from tests.product import ROOT

GOALS = {"precision": 0.98, "recall": 0.98, "unmerged_equal": 1.0, "oracle_equal": 1.0, "mutants_found": 3}

FILE: Final = ROOT.parent / "shared" / "data" / "requests" / "stuttgart_2021_2023.csv.gz"
SEED: Final = 20_260_101
INJECTED: Final = 3_000
SCENES: Final = 10_000
CROWD: Final = 2_000
MACHINE: Final = "merging"


@dataclass(slots=True)
class Run:
    """What the stream came to: every occurrence, where each report is, who was suggested to be where."""

    occurrences: dict[int, Occurrence] = field(default_factory=dict)
    place: dict[int, int] = field(default_factory=dict)
    suggested: dict[int, int] = field(default_factory=dict)
    most_open: int = 0
    seconds: float = 0.0
    """Of the processor."""


def streamed(reports: Sequence[Report], policy: MergePolicy) -> Run:
    """Every report in its turn: asked, joined or opened. An occurrence has the number of the report that opened it."""
    run = Run()
    index = OccurrencesInMemory()
    longest = timedelta(hours=policy.default.longest_h)
    begin = time.process_time()
    for report in reports:
        index.forget(report.at - longest)
        decision = find(report, index, policy)
        if decision.band is Band.AUTOMATIC and decision.occurrence is not None:
            now = joined(index[decision.occurrence], report, MACHINE, report.at, decision.likeness)
        else:
            now = opened(report.id, report, MACHINE, report.at)
            if decision.band is Band.SUGGESTED:
                run.suggested[report.id] = decision.suggested[0][0]
        index.put(now)
        run.occurrences[now.id] = now
        run.place[report.id] = now.id
        run.most_open = max(run.most_open, len(index))
    run.seconds = time.process_time() - begin
    return run


def judged(run: Run, injected: Injected) -> Figures:
    """Precision and recall over the injected pairs."""
    together = {id: run.place[id] == run.place[row] for id, row in injected.original.items()}
    alone = Counter(
        (id in injected.duplicates)
        for id in injected.original
        if not together[id] and len(run.occurrences[run.place[id]].sources) == 1
    )
    duplicates = sum(together[id] for id in injected.duplicates)
    near_misses = sum(together.values()) - duplicates
    apart = len(injected.duplicates) - duplicates
    elsewhere = apart - alone[True]
    wrong = near_misses + elsewhere
    suggested = Counter(id in injected.duplicates for id in run.suggested if id in injected.original)
    return {
        "duplicates": len(injected.duplicates),
        "near_misses": len(injected.original) - len(injected.duplicates),
        "precision": round(duplicates / max(1, duplicates + wrong), 4),
        "recall": round(duplicates / len(injected.duplicates), 4),
        "pair_precision": round(duplicates / max(1, duplicates + near_misses), 4),
        "near_misses_with_original": near_misses,
        "near_misses_with_others": len(injected.original)
        - len(injected.duplicates)
        - near_misses
        - alone[False],
        "duplicates_with_others": elsewhere,
        "duplicates_suggested": suggested[True],
        "near_misses_suggested": suggested[False],
    }


def repeats(run: Run, rows: Sequence[Report]) -> Figures:
    """Rows of the file itself that joined one another; how many of them at the very place of an earlier one."""
    held: dict[int, list[Report]] = {}
    for row in rows:
        held.setdefault(run.place[row.id], []).append(row)
    many = [sources for sources in held.values() if len(sources) > 1]
    same = sum(
        (row.lon, row.lat) in {(s.lon, s.lat) for s in sources[:n]}
        for sources in many
        for n, row in enumerate(sources)
    )
    return {
        "natural_repeats": sum(len(sources) - 1 for sources in many),
        "natural_repeats_same_point": same,
        "natural_occurrences": len(held),
        "largest": max((len(sources) for sources in held.values()), default=0),
    }


def unmerged(run: Run, reports: Sequence[Report], policy: MergePolicy, seed: int) -> Figures:
    """By hand every suggestion is merged, and un-merged again in any order; then every source is taken out by itself.

    Compared: each occurrence's sources, voices, level and replies with those before, and each record with that read.
    """
    rng = random.Random(seed)
    held = dict(run.occurrences)
    merges: list[int] = []
    for id, into in sorted(run.suggested.items()):
        other = run.place[id]
        if held[into].sources and held[other].sources and into != other:
            held[into], held[other] = merged(held[into], held[other], "desk", EPOCH, "the same")
            merges.append(other)
    rng.shuffle(merges)
    where = {source.id: o.id for o in held.values() for source in o.sources}
    for former in merges:
        here = where[run.occurrences[former].sources[0].id]
        held[here], held[former] = restored(held[here], held[former], "desk", EPOCH, "not the same")
        where.update((source.id, former) for source in held[former].sources)
    same = sum(
        held[id].sources == before.sources
        and held[id].voices == before.voices
        and level_of(held[id], policy) == level_of(before, policy)
        and replies(held[id]) == replies(before)
        for id, before in run.occurrences.items()
    )
    single: dict[int, Occurrence] = {}
    splits = 0
    for whole in held.values():
        for source in rng.sample(whole.sources, len(whole.sources) - 1):
            whole, out = split(whole, {source.id}, emptied(-source.id, whole.kind), "desk", EPOCH, "alone")
            single[source.id] = out
            splits += 1
        single[whole.sources[0].id] = whole
    records = sum(single[report.id].sources == (report,) for report in reports)
    counted = len(single) == len(reports) and splits == len(reports) - len(run.occurrences)
    share = (same + records) / (len(run.occurrences) + len(reports))
    return {"merged_by_hand": len(merges), "split": splits, "unmerged_equal": share if counted else 0.0}


def stream_equal(run: Run, reports: Sequence[Report]) -> float:
    """Share of reports that brute force puts into the same occurrence."""
    kinds = {kind: n for n, kind in enumerate(sorted({r.kind for r in reports}))}
    plain = [" ".join(oracle.address_words(r.address)) for r in reports]
    addresses = {address: n for n, address in enumerate(sorted(set(plain) - {""}))}
    found = oracle.stream(
        np.array([r.lon if r.lon is not None else np.nan for r in reports]),
        np.array([r.lat if r.lat is not None else np.nan for r in reports]),
        np.array([voice(r).at for r in reports]),
        np.array([kinds[r.kind] for r in reports]),
        np.array([addresses.get(address, -1) for address in plain]),
    )
    return float(np.mean([run.place[r.id] == reports[row].id for r, row in zip(reports, found, strict=True)]))


Scene = tuple[Report, list[Occurrence]]


def answered(scenes: Sequence[Scene], policy: MergePolicy) -> list[oracle.Answer]:
    """The product's decisions, its index asked as the store would be."""
    found: list[oracle.Answer] = []
    for report, every in scenes:
        index = OccurrencesInMemory()
        for occurrence in every:
            index.put(occurrence)
        decision = find(report, index, policy)
        score = decision.likeness.score if decision.likeness else 0.0
        found.append((str(decision.band), decision.occurrence, score))
    return found


def unlike(found: Sequence[oracle.Answer], wanted: Sequence[oracle.Answer]) -> int:
    """How many decisions differ; a score counts where something is to be said of it."""
    return sum(
        mine[:2] != theirs[:2] or (mine[0] != "new" and abs(mine[2] - theirs[2]) > 1e-6)
        for mine, theirs in zip(found, wanted, strict=True)
    )


def mutants(scenes: Sequence[Scene], policy: MergePolicy) -> Mapping[str, Callable[[], list[oracle.Answer]]]:
    """Errors planted on purpose: name → the decisions of a product that has it."""

    def flat(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
        return float(np.hypot(lon2 - lon1, lat2 - lat1) * np.pi / 180 * oracle.EARTH_M)

    def since_first(at: datetime, other: Occurrence) -> float:
        return max(0.0, (at - other.first_at).total_seconds() / 3600)

    def patched(name: str, new: object) -> Callable[[], list[oracle.Answer]]:
        def decisions() -> list[oracle.Answer]:
            with patch.object(merging, name, new):
                return answered(scenes, policy)

        return decisions

    def one_kind(report: Report, every: list[Occurrence]) -> Scene:
        return replace(report, kind="0101"), [replace(o, kind="0101") for o in every]

    creeping = replace(policy, default=replace(policy.default, spread_m=1e6))
    endless = replace(policy, default=replace(policy.default, life_h=1e6))
    forgotten = [(report, [replace(o, apart=frozenset()) for o in every]) for report, every in scenes]
    return {
        "an occurrence creeps along": lambda: answered(scenes, creeping),
        "an occurrence never ends": lambda: answered(scenes, endless),
        "the class does not matter": lambda: answered([one_kind(*s) for s in scenes], policy),
        "what was separated is forgotten": lambda: answered(forgotten, policy),
        "words decide": lambda: answered(scenes, replace(policy, text_swing=0.4)),
        "a degree is as long everywhere": patched("distance_m", flat),
        "time counts from the first source": patched("_gap_h", since_first),
    }


def crowd(count: int, policy: MergePolicy) -> float:
    """Microseconds of the processor a report when so many tell of one thing within the hour, each from a place and in words of his own."""
    rng = random.Random(3)
    reports = []
    for number in range(1, count + 1):
        lon, lat = moved(113.08, 22.58, 40 * rng.random(), 6.28 * rng.random())
        text = " ".join(rng.choice(WORDS) for _ in range(8))
        at = EPOCH + timedelta(seconds=number * 3600 / count)
        reports.append(Report(number, at, lon, lat, "0101", text, reporter=f"{number}"))
    return streamed(reports, policy).seconds / count * 1e6


def resident_mb() -> float:
    """Memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def run(bench: Bench) -> Figures:
    """The stream and its truth, the un-merging, both comparisons, the mutants, the cost."""
    policy = MergePolicy()
    assert policy.default == Reach(), "the bench measures what the product begins with"
    rows = read(bench.data or FILE)
    if bench.quick:
        rows = rows[:12_000]
    count = min(INJECTED // (5 if bench.quick else 1), len(rows) // 4)
    injected = inject(rows, count, SEED)
    reports = in_order([*rows, *injected.reports])
    before = resident_mb()
    found = streamed(reports, policy)
    memory = resident_mb() - before
    figures = judged(found, injected) | repeats(found, rows)
    bench.say(f"{len(reports)} reports in {found.seconds:.1f} s: {figures}")

    undone = unmerged(found, reports, policy, SEED)
    bench.say(f"un-merged: {undone}")
    stream_share = stream_equal(found, reports)
    bench.say(f"{stream_share:.6f} of the file as brute force has it")

    rng = random.Random(SEED)
    scenes = [scene(rng) for _ in range(SCENES // (5 if bench.quick else 1))]
    wanted = [oracle.answer(voice(report), [known(o) for o in every]) for report, every in scenes]
    different = unlike(answered(scenes, policy), wanted)
    differ = {name: unlike(decisions(), wanted) for name, decisions in mutants(scenes, policy).items()}
    bench.say(
        f"{different} of {len(scenes)} scenes differ, {Counter(w[0] for w in wanted)}; mutants {differ}"
    )
    return {
        "rows": len(rows),
        **figures,
        "suggested": len(found.suggested),
        **undone,
        "voices_raise": sum(
            level_of(o, policy) < min(s.level for s in o.sources) for o in found.occurrences.values()
        ),
        "stream_equal": round(stream_share, 6),
        "scenes": len(scenes),
        "oracle_equal": round(1 - different / len(scenes), 6),
        "mutants_found": sum(n > 0 for n in differ.values()),
        "mutants_differ_in": differ,
        "us_per_report": round(found.seconds / len(reports) * 1e6, 1),
        "crowd_us_per_report": round(crowd(CROWD // (5 if bench.quick else 1), policy), 1),
        "most_open": found.most_open,
        "memory_mb": round(memory, 1),
    }
