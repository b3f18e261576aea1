"""Real technographics, small and at hand: which trackers and services 1,224 web sites used in April 2018.

The sample beside this file is made from WhoTracks.Me by ``tools/make_whotracksme_sample.py`` and comes under CC BY 4.0
(``whotracksme.ATTRIBUTION.txt``). It is of 2018: good for timing and for checking answers on data that nobody invented,
not for saying anything of the web today.

The label is whether WhoTracks.Me lists the site under e-commerce. The site's category itself is in no column.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from .dataset import RECORDS_FILE, Column, Maker, Progress, RecordDataset

SAMPLE = Path(__file__).with_name("whotracksme.parquet")
DELIMITER = "|"

NUMERIC = (
    "popularity",
    "https",
    "cookies",
    "bad_qs",
    "tracked",
    "has_blocking",
    "requests",
    "requests_tracking",
    "requests_failed",
    "content_length",
    "hosts",
    "trackers",
    "companies",
)
"""Columns under WhoTracks.Me's own names, to three significant digits; all are of third parties but the first.

popularity: visits relative to those of the site visited most.
https, cookies, bad_qs, tracked, has_blocking: share of page loads with HTTPS only, with a cookie, with an identifier
in a query string, with either of the two, and with signs of a blocker.
requests, requests_tracking, requests_failed: mean number per page load, of all, with tracking, without success.
content_length: mean bytes per page load.
hosts, trackers, companies: mean number present per page load.
"""

SOURCE = (
    "WhoTracks.Me, data of April 2018, by Cliqz and Ghostery (https://whotracks.me), CC BY 4.0"
    " (https://creativecommons.org/licenses/by/4.0/); labelled sites only, without the category 'Adult'; changes are"
    " listed in whotracksme.ATTRIBUTION.txt"
)


def make(folder: Path, scale: float, files: Sequence[Path], progress: Progress) -> RecordDataset:
    """Copy the sample: 1,224 sites with 851 technologies (27,379 non-zeros), 14 other columns, about 14 % positive.

    ``site`` is the identifier, ``technologies`` the names of its trackers, delimited by ``|`` and never null.
    """
    shutil.copyfile(SAMPLE, folder / RECORDS_FILE)
    records = pq.read_metadata(SAMPLE).num_rows
    progress(records, records)
    return RecordDataset(
        folder=folder,
        name="whotracksme",
        scale=scale,
        delimiter=DELIMITER,
        identifier="site",
        technologies="technologies",
        label="is_ecommerce",
        columns=(Column("top_level_domain", "categorical"), *(Column(name, "numeric") for name in NUMERIC)),
        records=records,
        training_records=records,
        digest="",
        source=SOURCE,
    ).save()


MAKERS = (Maker("whotracksme", "real: trackers and services of 1,224 web sites, April 2018 (CC BY 4.0)", make),)
