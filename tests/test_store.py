"""Files of results: whole lines whatever happens, no run damaged by another."""

import threading

import pytest
from technobench.bench import store
from technobench.pipeline.errors import InputError
from technobench.pipeline.row import Row, Status, decode, encode


def row(variant: str = "naive", **changed) -> Row:
    values = {
        "stage": "predict",
        "variant": variant,
        "device": "cpu",
        "status": Status.OK,
        "executed": f"predict/{variant}@cpu",
        "seconds": [1.0, 2.0],
        "tolerance": 0.0,
        "error_measure": "",
        "dataset": "seed",
        "scale": 1.0,
        "sizes": {"records": 3},
        "threads": 2,
        "parameters": {"trees": 5},
        "problem_digest": "",
        "alerts": [],
        "versions": {},
        "thread_settings": {},
        "host": {},
        "run_id": "r",
        "session": "s",
        "interrupted": False,
        "started": "",
        "command": "",
    }
    missing = {name: None for name in Row.__struct_fields__ if name not in values}
    return Row(**{**values, **missing, **changed})


def test_what_is_written_is_read(tmp_path):
    rows = [row("naive"), row("ünï\ncode"), row("none", seconds=None, status=Status.UNAVAILABLE, reason="no device")]
    file = store.RunFile(tmp_path, "run")
    for each in rows:
        file.append(each)
    file.close()
    assert store.read(file.path) == (rows, [])
    assert [path.name for path in tmp_path.iterdir()] == ["run.jsonl"]


@pytest.mark.parametrize("cut", [1, 40, -2])
def test_a_torn_end_is_passed_over_and_removed_by_the_next_writer(tmp_path, cut):
    path = tmp_path / "run.jsonl"
    line = encode(row())
    path.write_bytes(line + b"\n" + line[:cut])
    rows, problems = store.read(path)
    assert rows == [row()]
    assert len(problems) == 1
    assert "torn" in problems[0]
    file = store.RunFile(tmp_path, "run")
    file.append(row("second"))
    file.close()
    assert store.read(path) == ([row(), row("second")], [])


def test_lines_that_are_no_rows_are_named_not_fatal(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_bytes(b'{"hello": 1}\n' + encode(row()) + b"\n\xff\xfe\nnull\n")
    rows, problems = store.read(path)
    assert rows == [row()]
    assert [problem.split(":")[1] for problem in problems] == ["1", "3", "4"]


def test_a_run_has_one_writer(tmp_path):
    file = store.RunFile(tmp_path, "run")
    with pytest.raises(InputError, match="another process is writing"):
        store.RunFile(tmp_path, "run")
    file.append(row())
    file.close()
    store.RunFile(tmp_path, "run").close()
    assert store.read(tmp_path / "run.jsonl")[0] == [row()]


def test_a_run_without_rows_leaves_nothing(tmp_path):
    store.RunFile(tmp_path, "run").close()
    assert list(tmp_path.iterdir()) == []


def test_many_runs_get_many_names(tmp_path):
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(store.new_run_id())) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 50


def test_runs_are_found_by_path_id_and_beginning(tmp_path):
    for name in ("20260101-a", "20260102-b"):
        file = store.RunFile(tmp_path, name)
        file.append(row())
        file.close()
    assert store.find(tmp_path, "20260101").stem == "20260101-a"
    assert store.find(tmp_path, str(tmp_path / "20260102-b.jsonl")).stem == "20260102-b"
    assert store.find(tmp_path, None).stem in {"20260101-a", "20260102-b"}
    with pytest.raises(InputError, match="may be any of"):
        store.find(tmp_path, "2026")
    with pytest.raises(InputError, match="no run"):
        store.find(tmp_path, "1999")


def test_rows_survive_their_json():
    assert decode(encode(row())) == row()


def test_interrupted_cases_are_remembered_until_they_are_measured_again(tmp_path):
    file = store.RunFile(tmp_path, "run")
    file.keep([row("a", seconds=[1.0], interrupted=True), row("b", seconds=[1.0], interrupted=True)])
    file.keep([row("a", seconds=[1.0, 1.1], interrupted=True), row("b", seconds=[1.0, 1.1], interrupted=True)])
    file.append(row("a", seconds=[1.0, 1.1, 1.2]))
    interrupted = row("b", seconds=[1.0, 1.1], interrupted=True)
    assert store.read(file.path) == ([row("a", seconds=[1.0, 1.1, 1.2]), interrupted], [])  # as after a kill
    file.close()
    assert store.read(file.path) == ([row("a", seconds=[1.0, 1.1, 1.2]), interrupted], [])
    assert [path.name for path in tmp_path.iterdir()] == ["run.jsonl"]
    file = store.RunFile(tmp_path, "run")
    file.append(row("b", seconds=[2.0]))
    file.close()
    assert store.read(file.path)[0][1] == row("b", seconds=[2.0])
