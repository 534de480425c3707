#!/bin/sh
# Make ./configure from configure.ac. Needed once after a checkout; not from a tarball.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --force "$@"
