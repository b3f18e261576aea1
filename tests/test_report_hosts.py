"""What machines are called: in full, and by what tells them apart."""

from technobench.bench.report.hosts import host_text, short_name

SMALL = {"cpu": "Xeon", "architecture": "x86_64", "cores": 2, "memory_gib": 23.5, "system": "Linux 6.1"}
LARGE = SMALL | {"cores": 16, "memory_gib": 125.9, "system": "Linux 6.2"}
WITH_GPU = LARGE | {"gpu": "NVIDIA H100 80GB HBM3", "gpu_driver": "CUDA 13.0"}


def test_a_machine_alone_needs_no_name():
    assert short_name(SMALL, [SMALL]) == ""


def test_machines_are_told_apart_by_as_little_as_does():
    hosts = [SMALL, LARGE, WITH_GPU]
    assert [short_name(each, hosts[:2]) for each in hosts[:2]] == ["2 cores", "16 cores"]
    assert [short_name(each, hosts[1:]) for each in hosts[1:]] == ["no GPU named", "NVIDIA H100 80GB HBM3"]
    assert short_name(SMALL, hosts) == "no GPU named, 2 cores"
    assert len({short_name(each, hosts) for each in hosts}) == 3


def test_what_nobody_knows_still_tells_machines_apart():
    hosts = [SMALL, SMALL | {"rack": 7}]
    assert [short_name(each, hosts) for each in hosts] == ["no rack named", "rack 7"]
    assert host_text(hosts[1]).endswith("Linux 6.1, rack 7")
    assert host_text({}) == "unknown host"
