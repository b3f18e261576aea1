"""What a user knows of the items, from a file of its own: titles and genres beside the ids."""

import json

import pyarrow as pa
import pytest
from technobench.pipeline.datasets.describe_interactions import describe_interactions
from technobench.pipeline.workload import Workload

from .own_data import written_file

pytestmark = pytest.mark.usefixtures("own_home")


def test_items_have_titles_and_genres(kept_interactions, tmp_path):
    content = 'title,id,genres,rest\n"Ex, the first",x,A| B|A,1\nZed,z,C,2\n,y,,3\n'
    files = {
        "i.csv": content,
        "i.jsonl": "\n".join(
            json.dumps({"id": one, "title": title, "genres": genres})
            for one, title, genres in (("x", "Ex, the first", ["A", "B"]), ("z", "Zed", []), ("y", None, None))
        ),
        "i.parquet": pa.table({"id": ["x", "y"], "title": ["Ex, the first", None], "genres": [["A", "B", None], None]}),
    }
    for name, written in files.items():
        items = written_file(tmp_path, name, written)
        dataset, _, _, known = kept_interactions("x.csv", "who,what\na,new\na,x\nb,y\n", items=items, replace=True)
        assert known == {
            "id": ["new", "x", "y"],
            "title": [None, "Ex, the first", None],
            "genres": [[], ["A", "B"], []],
        }
        assert Workload(dataset).items().num_rows == 3
        assert describe_interactions(dataset, lambda done, total: None).top[:2] == (("new", 1), ("Ex, the first", 1))
    items = written_file(tmp_path, "i.csv", 'id,genres\nx,"[""A|B""]"\ny,[sic]\n')
    assert kept_interactions("x.csv", "who,what\na,x\nb,y\n", items=items, replace=True)[3] == {
        "id": ["x", "y"],
        "genres": [["A|B"], ["[sic]"]],
    }


def test_item_files_that_are_refused(refused_interactions, tmp_path):
    for content, said in (
        ("movie,title\nx,Ex\n", "i.csv: no column 'id' for the items"),
        ("id,Title\nx,Ex\n", "no column 'title' for the items, nor 'genres'; did you mean 'Title'?"),
        ("id,title\nx,Ex\ny,Y\nx,Ex\n", "i.csv, column 'id': 'x' is in line 2 and line 4"),
        ("id,title\n,Ex\n", "i.csv, line 2, column 'id': no id"),
        ("id,title\n", "no records"),
        ("id,title\n1,Ex\n", "its ids, as '1', are none of the items, as 'x'"),
    ):
        assert said in refused_interactions("x.csv", "who,what\na,x\n", items=written_file(tmp_path, "i.csv", content))
    numbers = written_file(tmp_path, "i.parquet", pa.table({"id": ["x"], "genres": [[1]]}))
    assert "lists of int64" in refused_interactions("x.csv", "who,what\na,x\n", items=numbers)
    assert "no such file" in refused_interactions("x.csv", "who,what\na,x\n", items=tmp_path / "absent.csv")
