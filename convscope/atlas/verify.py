from __future__ import annotations

from typing import Any

from convscope.atlas.store.store import Part, Store
from convscope.atlas.store.summary import Report, many
from convscope.atlas.store.tables import CHECKSUM, TABLES, checksum
from convscope.core.progress import track
from convscope.errors import InputError


def verify(directory: str, *, remove: bool = False) -> Report:
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
    table: list[dict[str, Any]] = []
    rows = 0
    jobs: dict[str, str] = {}
    for _, part in track(parts, "atlas: parts", len(parts)):
        reason, count, own = _looked(store, part)
        rows += count
        if reason is None:
            doubled = [job for job in own if job in jobs]
            if own and len(doubled) == len(own) and part.job is not None:
                reason = f"left over: its rows are in {jobs[own[0]]} too"
            jobs |= {job: part.name for job in own if job not in jobs}
        if reason is not None:
            table.append({"part": part.path, "reason": reason})
    table += [
        {"part": path, "reason": "left over by a writer that was killed"}
        for name in (*TABLES, "partial")
        for path in store.leftovers(name)
    ]
    if remove:
        for row in table:
            store.remove(row["part"])
    sentence = f"{directory}: {many(len(parts), 'part')}, {many(rows, 'row')}, "
    if not table:
        return Report(
            sentence + "all sound.", details={"parts": len(parts), "rows": rows, "damaged": 0}
        )
    first = f"{many(len(table), 'file')} damaged or left over"
    hint = (
        "removed; the same build makes again what is missing"
        if remove
        else "remove with --remove, then build again"
    )
    return Report(
        f"{sentence}{first}: {hint}.",
        table,
        {"parts": len(parts), "rows": rows, "damaged": len(table)},
        ok=remove,
    )


def _looked(store: Store, part: Part) -> tuple[str | None, int, list[str]]:
    """What is wrong with a part, how many rows it has, and its jobs."""
    head = store.head(part)
    if head is None:
        return "cut short, or no Parquet part of an atlas", 0, []
    jobs = [job["job"] for job in head["jobs"]]
    try:
        rows = store.read(part).to_pylist()
    except (InputError, FileNotFoundError):
        return "damaged inside", 0, []
    if len(rows) != head["rows"] or len(rows) != sum(job["rows"] for job in head["jobs"]):
        return (
            f"{len(rows)} rows, but its jobs make {sum(job['rows'] for job in head['jobs'])}",
            len(rows),
            jobs,
        )
    if part.job is not None and jobs != [part.job]:
        return "bears another job's name", len(rows), []
    altered = sum(row.get(CHECKSUM) != checksum(row) for row in rows)
    if altered:
        return f"{many(altered, 'row')} altered", len(rows), []
    strange = {row["job"] for row in rows} - set(jobs)
    return (
        (f"rows of a job it does not name ({sorted(strange)[0]})", len(rows), [])
        if strange
        else (None, len(rows), jobs)
    )
