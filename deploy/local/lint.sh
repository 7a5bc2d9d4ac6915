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
    lint_files '*.c' '*.h' '*.sh' '*.py' '*.md' | (cd "$ROOT" && xargs -r grep -nE '\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b') |
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
    read -r -a flags < <(pkg-config --cflags libcjson libpq)
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

# What a scheduler, an engine or an init system would read, held against their own schemas and linters, and every option and
# variable in it against our programs.
lint_deploy() {
    local bin=$NUVYN_HOME/venv-lint/bin
    (cd "$ROOT/deploy" && "$bin/yamllint" -c yamllint.yaml --format parsable azure compose helm/*/*.yaml helm/*/ci container yamllint.yaml) |
        lint_report "yamllint"
    (cd "$ROOT" && "$bin/hadolint" --no-color --failure-threshold info deploy/container/Containerfile) | lint_report "hadolint"
    (cd "$ROOT" && "$bin/check-jsonschema" --builtin-schema vendor.compose-spec deploy/compose/compose.yaml 2>&1 | grep -v '^ok') |
        lint_report "the compose specification"
    "$bin/python" "$ROOT/tests/deploy/check.py" "$BUILD_DIR" "$NUVYN_HOME/lint/helm/helm" 2>&1 | lint_report "deploy"
    lint_units
}

# systemd's own check of the units, with the programs where they were built; and how far each is shut in (0 best, 10 worst).
lint_units() {
    local work unit
    work=$(mktemp -d)
    for unit in "$ROOT"/deploy/systemd/*.service; do
        sed "s#/usr/local/bin/#$BUILD_DIR/bin/#" "$unit" >"$work/${unit##*/}"
    done
    (cd "$work" && systemd-analyze verify --man=no ./*.service 2>&1) | grep -F "$work" | lint_report "systemd-analyze verify"
    for unit in "$work"/*.service; do
        systemd-analyze security --offline=yes --no-pager --threshold=20 "$unit" >"$unit.security" 2>&1 ||
            printf '%s: %s\n' "${unit##*/}" "$(tail -n 1 "$unit.security")"
    done | lint_report "systemd-analyze security: exposure over 2.0"
    rm -rf "$work"
}

lint() {
    LINT_FAILED=
    local check
    # A pipe's last part runs in this shell, so that a report is remembered.
    shopt -s lastpipe
    for check in format shell arrows banned sizes headers analysis deploy; do
        "lint_$check" || true
    done
    [ -z "$LINT_FAILED" ] || die "lint found something"
    say "lint: nothing found"
}
