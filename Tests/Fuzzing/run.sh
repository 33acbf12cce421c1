#!/bin/sh
# Fuzzes the BSON code with libFuzzer and the address sanitizer. Arguments go to libFuzzer:
#
#     Tests/Fuzzing/run.sh -max_total_time=60
#
# Findings are written to .build/fuzzing as crash-…; give such a file as the argument to repeat it.
# MARTLET_BUILD names another build directory (of `swift build`) to take NIOCore from.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${MARTLET_BUILD:-$root/.build}
work=${MARTLET_FUZZING:-$root/.build/fuzzing}
mkdir -p "$work/corpus"

if [ -z "${MARTLET_BUILD:-}" ]; then
    swift build --package-path "$root" --target BSON
fi

# The fuzzer and BSON are one module, so that BSON is instrumented and its `package` declarations can be called.
module_maps=$(find "$build/checkouts" "$build/debug/" -name module.modulemap -o -name '*.modulemap' -path '*.build/*' |
    sed 's/^/-Xcc -fmodule-map-file=/')
# What NIOCore is linked from; names of objects may hold spaces.
for target in NIOCore NIOConcurrencyHelpers _NIOBase64 _NIODataStructures Atomics _AtomicsShims DequeModule \
    InternalCollectionsUtilities ContainersPreview BasicContainers CNIOAtomics CNIODarwin CNIOFreeBSD CNIOLinux \
    CNIOOpenBSD CNIOPosix CNIOWASI CNIOWindows; do
    [ ! -d "$build/debug/$target.build" ] || find "$build/debug/$target.build/" -name '*.o'
done | sed 's/.*/"&"/' > "$work/objects"

# shellcheck disable=SC2086 # lists of flags are split on purpose
swiftc -O -g -parse-as-library -sanitize=fuzzer,address -package-name martlet -module-name BSONFuzzing \
    -swift-version 6 -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault \
    -enable-upcoming-feature MemberImportVisibility -suppress-warnings \
    -I "$build/debug/Modules" $module_maps -Xcc -fmodule-map-file="$root/Sources/CDecimal/module.modulemap" \
    "$root"/Sources/BSON/*.swift "$root/Tests/Fuzzing/BSONFuzzer.swift" "@$work/objects" -lbidgcc000 \
    -o "$work/bson-fuzzer"

cd "$work"
exec ./bson-fuzzer -max_len=4096 corpus "$@"
