# shellcheck shell=bash
# Mechanical rules, each with the reason it exists in docs/architecture.md ("Rules that are checked").
lint_files() { git -C "$ROOT" ls-files -co --exclude-standard -- "$@"; }

lint_report() { # title, offending lines on stdin
    local found
    found=$(cat)
    [ -n "$found" ] || return 0
    printf '%s:\n%s\n\n' "$1" "$found" >&2
    LINT_FAILED=1
}

lint_format() {
    lint_files '*.c' '*.h' | (cd "$ROOT" && xargs -r clang-format-14 --dry-run 2>&1) | grep -E 'warning:|error:' |
        cut -d: -f1 | sort -u | lint_report "not formatted (clang-format-14 -i FILE)"
}

lint_shell() {
    { lint_files '*.sh' bldr .ci/run | (cd "$ROOT" && xargs -r shellcheck -x -s bash -S warning -e SC2034,SC1091,SC2154 -f gcc); } |
        lint_report "shellcheck"
}

# Arrows run one way: the processes depend on common and proto, never on each other.
lint_arrows() {
    local area
    for area in controlplane worker workspace cli; do
        lint_files "$area/*.c" "$area/*.h" | (cd "$ROOT" && xargs -r grep -nE \
            "#include \"($(printf '%s\n' controlplane worker workspace cli | grep -vx $area | paste -sd'|'))/") |
            lint_report "$area includes another process's code"
    done
    lint_files 'common/*.c' 'common/*.h' | (cd "$ROOT" && xargs -r grep -nE '#include "(controlplane|worker|workspace|cli)/') |
        lint_report "common includes a process's code"
    lint_files '*.c' '*.h' | grep -vE '^common/rpc/|^tests/unit/common/rpc/' | (cd "$ROOT" && xargs -r grep -nE '#include <grpc') |
        lint_report "gRPC outside common/rpc"
    lint_files 'controlplane/graph/*' 'controlplane/scheduler/*' | grep -E '\.[ch]$' |
        (cd "$ROOT" && xargs -r grep -nE '#include <(time|pthread|unistd|fcntl|sys/.*)\.h>|\b(rand|random|time|clock_gettime|printf|fprintf|fopen|puts)\(') |
        lint_report "the pure core reaches out"
}

lint_banned() {
    lint_files '*.c' '*.h' | grep -v '^tests/' | (cd "$ROOT" && xargs -r grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|tmpnam|alloca)\(') |
        lint_report "banned function"
    lint_files '*.c' '*.h' '*.sh' '*.py' '*.md' | (cd "$ROOT" && xargs -r grep -nE '\b(TODO|FIXME|XXX|HACK)\b' | grep -v 'deploy/local/lint.sh') |
        lint_report "a mark left behind"
}

# No function over 120 lines, no file over 700: what grew that far wants another name.
lint_sizes() {
    lint_files '*.c' | (cd "$ROOT" && xargs -r awk '
        FNR == 1 { if (lines > 700) print file ": " lines " lines"; file = FILENAME }
        { lines = FNR }
        /^[A-Za-z_].*\)$/ { name = $0; start = FNR }
        /^\{$/ { open = FNR }
        /^\}/ { if (open && FNR - open > 120) print FILENAME ":" open ": " FNR - open " lines: " name; open = 0 }
        END { if (lines > 700) print file ": " lines " lines" }') |
        lint_report "too long"
}

# Every public header compiles on its own.
lint_headers() {
    local header out flags
    read -r -a flags < <(pkg-config --cflags libcjson)
    while read -r header; do
        out=$(printf '#include "%s"\n' "$header" | gcc -std=gnu17 -D_GNU_SOURCE -I"$ROOT" -I"$BUILD_DIR/proto" \
            -I"$NUVYN_HOME/duckdb" -I"$BUILD_DIR" "${flags[@]}" -fsyntax-only -x c - 2>&1) || printf '%s\n' "$out" | head -3
    done < <(lint_files 'common/*.h' 'controlplane/*.h' 'worker/*.h' 'workspace/*.h' 'cli/*.h') |
        lint_report "a header that does not stand alone"
}

lint_analysis() {
    local area areas=()
    for area in common controlplane worker workspace cli; do
        [ ! -d "$ROOT/$area" ] || areas+=("$ROOT/$area")
    done
    cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --suppress=missingInclude \
        --suppress=unknownMacro --suppress=normalCheckLevelMaxBranches --suppress=varFuncNullUB --suppress=uninitvar --suppress=legacyUninitvar --suppress=assignBoolToPointer --max-configs=1 -j2 -I"$ROOT" \
        --template='{file}:{line}: {severity}: {message} [{id}]' \
        "${areas[@]}" 2>&1 |
        sed "s#^$ROOT/##" | lint_report "cppcheck"
}

lint() {
    LINT_FAILED=
    local check
    # A pipe's last part runs in this shell, so that a report is remembered.
    shopt -s lastpipe
    for check in format shell arrows banned sizes headers analysis; do
        "lint_$check" || true
    done
    [ -z "$LINT_FAILED" ] || die "lint found something"
    say "lint: nothing found"
}
