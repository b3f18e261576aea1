"""The releases of MovieLens: what GroupLens published, under which licence, and how to know it again."""

from dataclasses import dataclass

PLACE = "https://files.grouplens.org/datasets/movielens/"


@dataclass(frozen=True)
class Release:
    """One release as published.

    ratings, users, items: how many there are; items are those with ratings.
    ratings_file, items_file: names in the archive's one folder, which is called like the release.
    step: stars are multiples of it, from ``step`` to 5.
    md5: of the zip, as published beside it.
    ratings_blob: Git's SHA-1 of the ratings file as a blob, where it is known; by it an unpacked file can be known.
    readme: name of the file with the licence, at `PLACE`.
    redistribution: what the licence says of it.
    """

    name: str
    title: str
    ratings: int
    users: int
    items: int
    ratings_file: str
    items_file: str
    step: float
    md5: str
    ratings_blob: str | None
    readme: str
    redistribution: str

    @property
    def address(self) -> str:
        """Where GroupLens publishes the zip."""
        return f"{PLACE}{self.name}.zip"

    @property
    def licence(self) -> str:
        """The conditions of use in short."""
        return (
            f"{self.title} is by GroupLens Research, University of Minnesota. Its conditions, in short:\n"
            "- no commercial use without permission;\n"
            f"- {self.redistribution};\n"
            "- publications cite F. M. Harper and J. A. Konstan, The MovieLens Datasets: History and Context, ACM\n"
            "  Transactions on Interactive Intelligent Systems 5, 4 (2015), and claim no endorsement by GroupLens;\n"
            "- there is no warranty.\n"
            f"What counts is the original: {PLACE}{self.readme}"
        )


_NO_REDISTRIBUTION = "no redistribution without permission"
_SAME_CONDITIONS = "redistribution under the same conditions only"

RELEASES = {
    release.name: release
    for release in (
        Release(
            name="ml-100k",
            title="MovieLens 100K",
            ratings=100_000,
            users=943,
            items=1_682,
            ratings_file="u.data",
            items_file="u.item",
            step=1.0,
            md5="0e33842e24a9c977be4e0107933c0723",
            ratings_blob=None,
            readme="ml-100k-README.txt",
            redistribution=_NO_REDISTRIBUTION,
        ),
        Release(
            name="ml-1m",
            title="MovieLens 1M",
            ratings=1_000_209,
            users=6_040,
            items=3_706,
            ratings_file="ratings.dat",
            items_file="movies.dat",
            step=1.0,
            md5="c4d9eecfca2ab87c1945afe126590906",
            ratings_blob="77a7c4b150f588c23bb9e1f068aa996c0b413695",
            readme="ml-1m-README.txt",
            redistribution=_NO_REDISTRIBUTION,
        ),
        Release(
            name="ml-20m",
            title="MovieLens 20M",
            ratings=20_000_263,
            users=138_493,
            items=26_744,
            ratings_file="ratings.csv",
            items_file="movies.csv",
            step=0.5,
            md5="cd245b17a1ae2cc31bb14903e1204af3",
            ratings_blob=None,
            readme="ml-20m-README.html",
            redistribution=_SAME_CONDITIONS,
        ),
        Release(
            name="ml-25m",
            title="MovieLens 25M",
            ratings=25_000_095,
            users=162_541,
            items=59_047,
            ratings_file="ratings.csv",
            items_file="movies.csv",
            step=0.5,
            md5="6b51fb2759a8657d3bfcbfc42b592ada",
            ratings_blob=None,
            readme="ml-25m-README.html",
            redistribution=_SAME_CONDITIONS,
        ),
    )
}
