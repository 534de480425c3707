#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A get that fails half-way would leave half a file, or destroy the one that was there.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99
start_broker --capacity=64MiB
mkdir "$TEST_DIR/out"
cd "$TEST_DIR/out" || exit 99
head -c 3000000 /dev/urandom >../file
id=$("$OSCTL" put ../file) || fail "put"

"$OSCTL" get 00000000000000000000000000000abc -o new 2>/dev/null && fail "get of nothing"
# A limit on file sizes stops the write; SIGXFSZ ignored, it is an error.
(trap '' XFSZ; ulimit -f 1000; "$OSCTL" get "$id" -o new 2>../stderr) && fail "a file beyond ulimit -f"
[ -z "$(ls -A)" ] || fail "files are left: $(ls -A)"
grep -q '^osctl: new: ' ../stderr || fail "the line: $(cat ../stderr)"

echo old >there
chmod 0640 there
(trap '' XFSZ; ulimit -f 1000; "$OSCTL" get "$id" -o there 2>/dev/null) && fail "a file beyond ulimit -f"
[ "$(cat there)" = old ] || fail "the file that was there is gone"
[ "$(ls -A)" = there ] || fail "files are left: $(ls -A)"
"$OSCTL" get "$id" -o there || fail "get over a file"
cmp there ../file || fail "a file was not replaced"
[ "$(stat -c %a there)" = 640 ] || fail "the mode of the file that was there changed"
[ "$(ls -A)" = there ] || fail "files are left: $(ls -A)"

ln -s there link
"$OSCTL" rm "$id" && id=$(echo new | "$OSCTL" put -) || fail "put"
"$OSCTL" get "$id" -o link || fail "get to a symbolic link"
[ -L link ] || fail "a symbolic link was replaced"
[ "$(cat there)" = new ] || fail "the target of a symbolic link was not written"

(umask 027; "$OSCTL" get "$id" -o masked) || fail "get"
[ "$(stat -c %a masked)" = 640 ] || fail "the umask was not obeyed"
