# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034 # the lists are for whoever sources this
# What a Debian 12 machine needs, by purpose. Sourced by ./quickstart and ./runtests.

PACKAGES_BUILD="build-essential autoconf automake libtool pkg-config
	libblosc-dev libcap-dev libeconf-dev libjansson-dev libseccomp-dev libsmartcols-dev libsystemd-dev
	liburcu-dev liburing-dev libxxhash-dev python3-dev"
PACKAGES_DEMO="dataset-fashion-mnist python3-numpy python3-sklearn python3-matplotlib"
PACKAGES_TEST="check clang libclang-rt-14-dev fuse3 libcap2-bin mandoc python3-numpy shellcheck
	util-linux valgrind jq systemd git"

# ensure_packages WORD... - install what is not installed, quietly; needs root or sudo then.
ensure_packages()
{
	local missing=() package sudo=() log
	for package in "$@"; do
		dpkg-query -W -f '${db:Status-Abbrev}\n' "$package" 2>/dev/null | grep -q '^.i' ||
			missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return 0
	if ! command -v apt-get >/dev/null; then
		echo "please install, by your distribution's names: ${missing[*]}" >&2
		return 1
	fi
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || {
			echo "missing packages, and neither root nor sudo: apt-get install ${missing[*]}" >&2
			return 1
		}
		sudo=(sudo)
	fi
	echo "installing ${missing[*]}"
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	if ! { "${sudo[@]}" apt-get install -qy --no-install-recommends "${missing[@]}" ||
		{ "${sudo[@]}" apt-get update -q &&
			"${sudo[@]}" apt-get install -qy --no-install-recommends "${missing[@]}"; }; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		echo "apt-get could not install: ${missing[*]}" >&2
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
}
