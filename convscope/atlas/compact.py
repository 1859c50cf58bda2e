from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from convscope.atlas.store.parts import PartHeader, digest, encode_table
from convscope.atlas.store.rows import Columns, JobEntry
from convscope.atlas.store.store import Part, Store
from convscope.atlas.store.summary import Summary
from convscope.atlas.store.tables import TABLES, Table
from convscope.core.extras import arrow
from convscope.core.progress import track
from convscope.core.quantities import pluralize
from convscope.core.validation import checked
from convscope.errors import OptionError

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class HeadedPart:
    """A part with what it says about itself."""

    part: Part
    header: PartHeader


@checked()
def compact(directory: str | Path, *, megabytes: int = 128) -> Summary:
    """Merge the many small parts of each layer into few large ones; nothing that is in them
    changes.

    A merged part is written whole before the parts it replaces are deleted. In between, and after a
    kill, rows are there twice but never missing: `atlas.open` reads each once, and the next
    `compact` removes what is left over. Jobs inside merged parts are still known, so that `build`
    does not make them again. Parts with failed units stay as they are, to be retried.

    Args:
        directory: the folder or URL it was built into.
        megabytes: how large a merged part may become.

    Raises:
        InputError: there is no atlas, or a part is damaged.
        OutputError: it cannot be written.

    Example:
        atlas.compact("atlas/")
        $ convscope atlas compact atlas/
    """
    if megabytes < 1:
        raise OptionError(f"megabytes must be 1 or more; {megabytes} was given.")
    store = Store(directory, create=False)
    folders: dict[tuple[str, str], list[HeadedPart]] = defaultdict(list)
    before = 0
    for name in TABLES:
        for part in store.parts(name):
            before += 1
            header = store.header(part)
            if header is not None and not header.failed:
                folders[name, posixpath.dirname(part.path)].append(HeadedPart(part, header))
    after = before
    for (name, folder), parts in track(sorted(folders.items()), "atlas: folders", len(folders)):
        needed = _remove_leftovers(store, parts)
        after -= len(parts) - len(needed)
        for group in _groups(needed, megabytes * MEGABYTE):
            _merge(store, TABLES[name], folder, group)
            after -= len(group) - 1
    for name in TABLES:
        store.sweep(name)
    return Summary(
        f"{directory}: {pluralize(before, 'part')} became {after:,}.",
        details={"before": before, "after": after},
    )


def _remove_leftovers(store: Store, parts: list[HeadedPart]) -> list[HeadedPart]:
    """Remove the parts whose every job is in a merged one; the others."""
    merged = {
        job for opened in parts if opened.part.job is None for job in opened.header.job_hashes
    }
    needed = []
    for opened in parts:
        if opened.part.job is not None and merged.issuperset(opened.header.job_hashes):
            store.remove(opened.part.path)
        else:
            needed.append(opened)
    return needed


def _groups(parts: list[HeadedPart], size: int) -> list[list[HeadedPart]]:
    """The parts to be merged with each other, two or more, in the order of their units."""
    ordered = sorted(
        parts, key=lambda headed: (headed.header.jobs[0].get("first", 0), headed.part.name)
    )
    groups: list[list[HeadedPart]] = [[]]
    for headed in ordered:
        if groups[-1] and sum(other.part.size for other in groups[-1]) + headed.part.size > size:
            groups.append([])
        groups[-1].append(headed)
    return [group for group in groups if len(group) > 1]


def _merge(store: Store, table: Table[Columns], folder: str, group: list[HeadedPart]) -> None:
    """Write one part in place of several, each job once."""
    pa = arrow()
    jobs: dict[str, JobEntry] = {}
    tables = []
    for headed in group:
        new_jobs = {job["job"]: job for job in headed.header.jobs if job["job"] not in jobs}
        data = store.read(headed.part)
        if len(new_jobs) < len(headed.header.jobs):
            wanted = pa.array(list(new_jobs), pa.string())
            data = data.filter(pa.compute.is_in(data.column("job"), value_set=wanted))
        jobs |= new_jobs
        tables.append(data.replace_schema_metadata(None))
    merged = pa.concat_tables(tables).combine_chunks()
    name = f"merged-{digest(sorted(jobs))[:32]}.parquet"
    store.write(posixpath.join(folder, name), encode_table(merged, table, list(jobs.values())))
    for headed in group:
        if headed.part.name != name:
            store.remove(headed.part.path)
