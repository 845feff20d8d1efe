"""Does the kernel answer ARP for addresses that only some node of ours should answer for?"""

from __future__ import annotations

import pytest

from vipmgr.node.layer2_report import IPVS, kernel_answers


def settings(folder, **arp_ignore):
    for name, value in arp_ignore.items():
        (folder / name).mkdir()
        (folder / name / "arp_ignore").write_text(f"{value}\n")
    return folder


@pytest.mark.parametrize(
    ("everywhere", "eth0", "answers"), [(0, 0, True), (1, 0, False), (0, 1, False), (0, 2, False), (2, 0, False)]
)
def test_kube_proxy_in_ipvs_mode_needs_strict_arp_on_the_pools_interface(tmp_path, everywhere, eth0, answers):
    sysctls = settings(tmp_path, all=everywhere, eth0=eth0, eth1=1)
    assert kernel_answers({"eth0", IPVS}, ["eth0"], sysctls) is answers
    assert kernel_answers({"eth0", IPVS}, ["eth1"], sysctls) is False


def test_without_ipvs_the_addresses_are_on_no_interface_and_nothing_needs_to_be_strict(tmp_path):
    assert kernel_answers({"eth0"}, ["eth0"], settings(tmp_path, all=0, eth0=0)) is False


def test_a_setting_that_cannot_be_read_counts_as_the_kernels_default(tmp_path):
    assert kernel_answers({"eth0", IPVS}, ["eth0"], tmp_path) is True
