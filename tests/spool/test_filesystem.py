from __future__ import annotations

from pathlib import Path

import pytest
from training_cases import small_disk

from livestream.spool.filesystem import Filesystem, choose_mode, judge, of_folder

MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /home rw,relatime shared:2 master:3 - nfs4 server:/home rw,vers=4.2
31 30 0:27 / /home/me/local rw - xfs /dev/vdb rw
32 22 0:28 / /scratch rw - lustre 10.0.0.1@o2ib:/scratch rw
33 22 0:29 / /data\040two rw - btrfs /dev/vdc rw
34 22 0:30 / /mnt rw - ext4 /dev/vdd rw
35 34 0:31 / /mnt rw - fuse.sshfs host:/ rw
36 22 0:32 / /tab\011and\134slash rw - zfs pool rw
"""


@pytest.fixture
def mountinfo(tmp_path: Path) -> str:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS.lstrip())
    return str(path)


SHARED = "nfs nfs4 lustre gpfs cifs smb3 beegfs ceph 9p virtiofs drvfs afs fuse fuse.sshfs fuse.s3fs fuse.juicefs"


@pytest.mark.parametrize("kind", SHARED.split())
def test_what_other_hosts_can_mount_is_shared_and_never_mapped(kind: str) -> None:
    found = judge(kind)

    assert (found.shared, found.mappable) == (True, False)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "tmpfs", "overlay", "f2fs", "fuse.fuse-overlayfs", "fuse-overlayfs"])
def test_a_local_disk_is_mapped(kind: str) -> None:
    found = judge(kind)

    assert (found.shared, found.mappable) == (False, True)


@pytest.mark.parametrize("kind", ["btrfs", "zfs", "bcachefs", ""])
def test_what_can_run_out_of_space_below_a_mapping_is_local_and_not_mapped(kind: str) -> None:
    found = judge(kind)

    assert (found.shared, found.mappable) == (False, False)


@pytest.mark.parametrize(
    ("folder", "kind", "mount_point"),
    [
        ("/", "ext4", "/"),
        ("/var/spool", "ext4", "/"),
        ("/home", "nfs4", "/home"),
        ("/home/me/spool", "nfs4", "/home"),
        ("/homes/me", "ext4", "/"),
        ("/home/me/local/spool", "xfs", "/home/me/local"),
        ("/home/me/locally", "nfs4", "/home"),
        ("/scratch/a/b/c", "lustre", "/scratch"),
        ("/data two/spool", "btrfs", "/data two"),
        ("/mnt/spool", "fuse.sshfs", "/mnt"),
        ("/tab\tand\\slash/spool", "zfs", "/tab\tand\\slash"),
    ],
)
def test_the_filesystem_of_a_folder_is_that_of_the_innermost_and_newest_mount(
    folder: str, kind: str, mount_point: str, mountinfo: str
) -> None:
    assert of_folder(Path(folder), mountinfo) == judge(kind, mount_point)


def test_a_link_is_followed_to_where_the_spool_really_lies(tmp_path: Path, mountinfo: str) -> None:
    link = tmp_path / "link"
    link.symlink_to("/scratch/me")

    assert of_folder(link / "spool", mountinfo).kind == "lustre"


def test_a_system_that_tells_no_mounts_gets_the_careful_answer(tmp_path: Path) -> None:
    for content in (None, b"", b"\xff\xfe\n\nnonsense\n1 2 3 - ext4\n1 2 3 4 / no tail\n"):
        path = tmp_path / "mountinfo"
        if content is not None:
            path.write_bytes(content)
        assert of_folder(tmp_path, str(path)) == Filesystem("", "", shared=False, mappable=False)


def test_the_mounts_of_this_machine_are_read() -> None:
    with small_disk("1m") as disk:
        assert of_folder(disk / "a" / "b") == Filesystem("tmpfs", str(disk), shared=False, mappable=True)
    assert of_folder(Path("/proc")).kind == "proc"


def test_the_mode_is_what_the_user_said_or_what_the_filesystem_asks_for_with_its_reason() -> None:
    nfs, disk = judge("nfs", "/home"), judge("ext4", "/")

    assert choose_mode("auto", disk) == (False, "")
    assert choose_mode("local", nfs) == (False, "")
    assert choose_mode("shared", disk) == (True, "LIVESTREAM_SPOOL_MODE=shared")
    shared, reason = choose_mode("auto", nfs)
    assert shared
    assert "/home" in reason
    assert "nfs" in reason
