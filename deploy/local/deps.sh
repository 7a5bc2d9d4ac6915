# shellcheck shell=bash
# Installs what is missing, and only that: Debian packages, binary libraries out of npm packages (checksummed), and the
# Spark environment. When nothing is missing it touches neither the network nor the package manager.

apt_names() { sed -e 's/#.*//' -e 's/=.*//' -e '/^[[:space:]]*$/d' "$1"; }

# The lines of an .apt file whose package is not installed (any version counts: a newer point release is fine).
apt_missing() {
    local installed line name
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
    while read -r line; do
        line=${line%%#*}
        line=${line//[[:space:]]/}
        [ -n "$line" ] || continue
        name=${line%%=*}
        grep -qxF -- "$name" <<<"$installed" || printf '%s\n' "$line"
    done <"$1"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root to install packages (no sudo here); as root, run: $*"
    fi
}

deps_apt() {
    local list=$1 missing
    mapfile -t missing < <(apt_missing "$list")
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "this is not a Debian system: install the packages named in ${list#"$ROOT"/}"
    step "installing ${#missing[@]} Debian packages: ${missing[*]%%=*}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$NUVYN_HOME/apt.log" 2>&1 ||
        { tail -n 20 "$NUVYN_HOME/apt.log" >&2; die "apt-get install failed (whole log: $NUVYN_HOME/apt.log)"; }
}

deps_npm_one() {
    local package=$1 version=$2 sum=$3 inside=$4 to=$NUVYN_HOME/$5 work tarball
    [ ! -f "$to" ] || [ "$(cat "$to.from" 2>/dev/null)" != "$package $version $sum" ] || return 0
    step "fetching $package $version"
    if ! command -v npm >/dev/null; then
        printf 'npm\n' >"$NUVYN_HOME/npm.apt"
        deps_apt "$NUVYN_HOME/npm.apt"
    fi
    work=$(mktemp -d)
    tarball=$(cd "$work" && npm pack --silent "$package@$version" 2>"$work/log") ||
        { cat "$work/log" >&2; rm -rf "$work"; die "cannot fetch $package $version"; }
    echo "$sum  $work/$tarball" | sha256sum -c --status ||
        { rm -rf "$work"; die "$package $version: the download's SHA-256 is not $sum; refusing to use it"; }
    mkdir -p "$(dirname "$to")"
    tar -xzf "$work/$tarball" -C "$work" "$inside"
    mv -f "$work/$inside" "$to"
    printf '%s' "$package $version $sum" >"$to.from"
    rm -rf "$work"
}

deps_npm() {
    local package version sum inside to
    while read -r package version sum inside to; do
        case $package in '' | '#'*) continue ;; esac
        deps_npm_one "$package" "$version" "$sum" "$inside" "$to"
    done <"$ROOT/deploy/deps/npm.txt"
}

# What compiling and `analyze` need.
deps_build() {
    mkdir -p "$NUVYN_HOME"
    deps_apt "$ROOT/deploy/deps/build.apt"
    deps_npm
}

# Spark and Delta, for the local workspace.
deps_spark() {
    deps_build
    deps_apt "$ROOT/deploy/deps/spark.apt"
    bash "$ROOT/workspace/kernel/install.sh" >&2 || die "Spark could not be installed"
}

deps_test() {
    deps_spark
    deps_apt "$ROOT/deploy/deps/test.apt"
}
