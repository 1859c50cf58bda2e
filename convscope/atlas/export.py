from __future__ import annotations

from pathlib import Path

from convscope.atlas.site.network_pages import NetworkPages
from convscope.atlas.site.pages import render_page, write_assets
from convscope.atlas.site.views import NetworkView
from convscope.atlas.store.file_names import network_folder, unique_file_names
from convscope.atlas.store.network_choice import matching_networks, unknown_network
from convscope.atlas.store.parts import SCHEMA
from convscope.atlas.store.reader import Network, Reader
from convscope.atlas.store.staging import StagingFolder
from convscope.atlas.store.store import Store
from convscope.atlas.store.summary import Summary
from convscope.atlas.store.tables import CARDS, EXAMPLES, MAPS, UNITS
from convscope.core.progress import advance
from convscope.core.quantities import format_bytes, pluralize
from convscope.core.validation import checked
from convscope.errors import InputError


@checked()
def export(directory: str | Path, out: str | Path, *, model: str | None = None) -> Summary:
    """A static site of an atlas: its networks, their layers, a page for each unit, activation
    atlases, and a search by label.

    The pages work from a folder and from any web server, load nothing from elsewhere, and are read
    by keyboard and phone. The site is staged and takes the place of an older one whole; what others
    put into that folder (.git, CNAME) stays. The same atlas gives the same bytes. One layer's rows
    and one part's pictures are in memory at a time, and of all examples only which photos each unit
    likes best.

    Args:
        directory: the folder or URL it was built into.
        out: the folder of the site.
        model: where it holds several networks, only the one of this name, or whose hash begins so.

    Raises:
        InputError: there is no atlas, or a part of it is damaged.
        OutputError: `out` cannot be written, or holds something other than a site.

    Example:
        atlas.export("atlas/", "site/")
        $ convscope atlas export atlas/ --out site/
    """
    reader = Reader(Store(directory))
    networks = reader.networks((UNITS, EXAMPLES, CARDS, MAPS))
    if not networks:
        raise InputError(
            f"The atlas at {directory} holds nothing yet; fill it with convscope atlas build,"
            " examples, cards or map."
        )
    if model is not None:
        chosen = matching_networks(networks, model)
        if not chosen:
            raise unknown_network(networks, model)
        networks = chosen
    try:
        with StagingFolder(out) as site:
            views = _write_networks(reader, site, networks)
            first_page = render_page(
                "index.html", root="", title="Atlas", here="Atlas", networks=views
            )
            site.write("index.html", first_page)
            site.write_mark({"convscope": "atlas site", "schema": SCHEMA})
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename or error} was merged or removed while it was exported; export again."
        ) from None
    num_units = sum(view.units for view in views)
    num_layers = sum(len(network.layers) for network in networks)
    sentence = (
        f"{out}: {pluralize(num_units, 'unit')} of {pluralize(num_layers, 'layer')},"
        f" {pluralize(site.files, 'file')}, {format_bytes(site.bytes)}; open"
        f" {str(out).rstrip('/')}/index.html."
    )
    details = {"units": num_units, "layers": num_layers, "files": site.files, "bytes": site.bytes}
    return Summary(sentence, details=details)


def _write_networks(
    reader: Reader, site: StagingFolder, networks: list[Network]
) -> list[NetworkView]:
    write_assets(site)
    folder_names = [network_folder(network.model, network.model_id) for network in networks]
    folders = unique_file_names(folder_names)
    num_layers = sum(len(network.layers) for network in networks)
    done = 0
    views = []
    for network, name in zip(networks, folder_names, strict=True):
        pages = NetworkPages(reader, site, network, folders[name])
        for place in range(len(network.layers)):
            advance("atlas: layers", done, num_layers)
            pages.write_layer(place)
            done += 1
        views.append(pages.write_network())
    advance("atlas: layers", num_layers, num_layers)
    return views
