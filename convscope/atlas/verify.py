from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from convscope.atlas.store.parts import checksum
from convscope.atlas.store.store import Part, Store
from convscope.atlas.store.summary import Summary
from convscope.atlas.store.tables import CHECKSUM, TABLES
from convscope.core.progress import track
from convscope.core.quantities import pluralize
from convscope.core.validation import checked
from convscope.errors import InputError


@checked()
def verify(directory: str | Path, *, remove: bool = False) -> Summary:
    """Read all of an atlas and find what is cut short, altered, missing or left over.

    A part is sound if its Parquet pages pass their checksums, every row passes its own, it has as
    many rows as its jobs say, and it bears its job's name. A damaged part is made again by `build`
    (or `examples`) once it is removed; one that is cut short `build` finds itself.

    Args:
        directory: the folder or URL it was built into.
        remove: delete what is damaged or left over.

    Raises:
        InputError: there is no atlas, or it was written by another version.

    Example:
        atlas.verify("atlas/").ok
        $ convscope atlas verify atlas/ --remove
    """
    store = Store(directory)
    parts = [(name, part) for name in store.tables() for part in store.parts(name)]
    damages: list[dict[str, str]] = []
    num_rows = 0
    first_part_of: dict[str, str] = {}
    for _, part in track(parts, "atlas: parts", len(parts)):
        check = _check(store, part)
        num_rows += check.rows
        reason = check.damage
        is_repeated = all(job in first_part_of for job in check.jobs) and len(check.jobs) > 0
        if reason is None and part.job is not None and is_repeated:
            reason = f"left over: its rows are in {first_part_of[check.jobs[0]]} too"
        for job in check.jobs:
            first_part_of.setdefault(job, part.name)
        if reason is not None:
            damages.append({"part": part.path, "reason": reason})
    damages += [
        {"part": path, "reason": "left over by a writer that was killed"}
        for name in (*TABLES, "partial")
        for path in store.leftovers(name)
    ]
    if remove:
        for damage in damages:
            store.remove(damage["part"])
    sentence = f"{directory}: {pluralize(len(parts), 'part')}, {pluralize(num_rows, 'row')}, "
    if not damages:
        sentence += "all sound."
    else:
        sentence += f"{pluralize(len(damages), 'file')} damaged or left over: "
        sentence += (
            "removed; the same build makes again what is missing."
            if remove
            else "remove with --remove, then build again."
        )
    details = {"parts": len(parts), "rows": num_rows, "damaged": len(damages)}
    return Summary(sentence, damages, details, ok=remove or not damages)


@dataclass(frozen=True)
class PartCheck:
    """What is wrong with a part, or None; how many rows it has; and its jobs."""

    damage: str | None
    rows: int = 0
    jobs: tuple[str, ...] = ()


def _check(store: Store, part: Part) -> PartCheck:
    header = store.header(part)
    if header is None:
        return PartCheck("cut short, or no Parquet part of an atlas")
    jobs = tuple(header.job_hashes)
    try:
        rows = store.read(part).to_pylist()
    except (InputError, FileNotFoundError):
        return PartCheck("damaged inside")
    num_rows, expected = len(rows), sum(job["rows"] for job in header.jobs)
    if not num_rows == header.rows == expected:
        return PartCheck(f"{num_rows} rows, but its jobs make {expected}", num_rows, jobs)
    if part.job is not None and jobs != (part.job,):
        return PartCheck("bears another job's name", num_rows)
    num_altered = sum(row.get(CHECKSUM) != checksum(row) for row in rows)
    if num_altered:
        return PartCheck(f"{pluralize(num_altered, 'row')} altered", num_rows)
    unnamed = sorted({row["job"] for row in rows} - set(jobs))
    if unnamed:
        return PartCheck(f"rows of a job it does not name ({unnamed[0]})", num_rows)
    return PartCheck(None, num_rows, jobs)
