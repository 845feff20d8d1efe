#!/bin/sh
# Installs gobgpd from Debian's trixie-backports: it needs only libc6 2.34 and runs on Debian 12 and Ubuntu 24.04. The
# 3.10 of Debian 12 itself has no BFD and resets sessions for nothing. apt's own lists and sources stay as they are: this
# apt-get keeps its state in a folder of its own.
set -eu
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || apt-get -qq install -y --no-install-recommends debian-archive-keyring >/dev/null
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
: >"$folder/status"
echo "deb [signed-by=$keyring] http://deb.debian.org/debian trixie-backports main" >"$folder/sources.list"
apt() {
    apt-get -qq -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State="$folder" -o Dir::State::Lists="$folder/lists" -o Dir::State::status="$folder/status" \
        -o Dir::Cache="$folder/cache" -o APT::Sandbox::User=root "$@"
}
apt update
cd "$folder"
apt download gobgpd
dpkg -i "$folder"/gobgpd_*.deb >/dev/null
