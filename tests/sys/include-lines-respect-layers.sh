#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A layer that includes a header of a layer above itself would tie the pure core
# to the machine, or the client library to the daemon.
cd "${top_srcdir:-.}" || exit 1

# layer: the layers whose headers it may include, besides its own
allowed()
{
	case $1 in
	src/util) echo "" ;;
	src/ds) echo "util" ;;
	src/wire) echo "util" ;;
	src/core) echo "util ds wire" ;;
	src/memory) echo "util ds" ;;
	src/spill) echo "util ds" ;;
	src/broker) echo "util ds wire core memory spill" ;;
	src/ostored) echo "util ds wire core memory spill broker" ;;
	src/client) echo "util wire" ;;
	tools) echo "util" ;;
	python) echo "" ;;
	examples) echo "" ;;
	esac
}

bad=0
for layer in src/util src/ds src/wire src/core src/memory src/spill src/broker src/ostored src/client tools python examples; do
	own=${layer#src/}
	for file in "$layer"/*.[ch]; do
		[ -e "$file" ] || continue
		for header in $(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file"); do
			folder=${header%/*}
			[ "$header" = config.h ] && continue
			[ "$header" = "$folder" ] && { # no folder: its own, outside src only
				case $layer in tools | python | examples) [ -e "$layer/$header" ] && continue ;; esac
				echo "$file: \"$header\" does not name its layer"
				bad=1
				continue
			}
			[ "$folder" = "$own" ] && continue
			case " $(allowed "$layer") " in
			*" $folder "*) ;;
			*)
				echo "$file: \"$header\": $own may include only: $own $(allowed "$layer")"
				bad=1
				;;
			esac
		done
		case $layer in
		src/client | tools | python | examples) ;;
		*)
			grep -n '#[[:space:]]*include[[:space:]]*<ostore\.h>' "$file" /dev/null && {
				echo "$file: the public header belongs to the client side"
				bad=1
			}
			;;
		esac
	done
done
exit $bad
