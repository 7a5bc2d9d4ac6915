#!/usr/bin/env bash
# Installs what the local workspace's Spark needs below $NUVYN_HOME (default ~/.cache/nuvyn):
#   venv/   pyspark and delta-spark, every wheel pinned by hash (requirements.txt)
#   jars/   Delta Lake (jars.txt, through Maven, checked by SHA-256), our catalog, compiled from java/, and an archive of
#           the classes that Spark takes, so that it starts at once (rehearse.py)
# A second call finds the stamps and does nothing; it needs no network. Where packages come from is pip's and Maven's
# own configuration; NUVYN_MAVEN_URL names another Maven repository.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=${NUVYN_HOME:-$HOME/.cache/nuvyn}
venv=$home/venv
jars=$home/jars

die() {
    echo "workspace/kernel/install.sh: $*" >&2
    exit 69
}

need() {
    command -v "$1" >/dev/null || die "$1 is missing: install $2"
}

# Of what the files hold, not of where they stand: checkouts share one installation, and it must not be made anew under one that uses it.
stamp_of() {
    cat -- "$@" | sha256sum | cut -d' ' -f1
}

install_venv() {
    local stamp
    stamp=$(stamp_of "$here/requirements.txt")
    [[ -x $venv/bin/python && $(cat "$venv/.nuvyn-stamp" 2>/dev/null) == "$stamp" ]] && return
    need python3 "python3 and python3-venv"
    echo "Installing PySpark and Delta Lake for Python into $venv (about 450 MB to download) ..."
    # From nothing: where an installation was cut short (killed, a full disk), pip takes torn files for installed ones.
    rm -rf "$venv"
    python3 -m venv "$venv" || die "python3 -m venv failed: install python3-venv"
    "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes -r "$here/requirements.txt" \
        >"$home/pip.log" 2>&1 || {
        grep -iE '^ *error|No space left|Temporary failure|HASH' "$home/pip.log" | sort -u | tail -n 8 >&2
        die "pip could not install $here/requirements.txt (whole log: $home/pip.log)"
    }
    echo "$stamp" >"$venv/.nuvyn-stamp"
}

has_checksum() {
    [[ -f $1 ]] && echo "$2  $1" | sha256sum --check --status
}

# fetch_jar group:artifact:version target
fetch_jar() {
    local artifact version folder repository=()
    # Java takes the user's folder from the system's list of users, where a service's may not exist or not be its own.
    [[ -w $(getent passwd "$(id -u)" | cut -d: -f6) ]] || repository=("-Dmaven.repo.local=$home/maven")
    IFS=: read -r _ artifact version <<<"$1"
    need mvn "maven"
    folder=$(mktemp -d "$jars/.fetch.XXXXXX")
    (cd "$folder" && mvn --quiet --batch-mode -Dstyle.color=never "${repository[@]}" dependency:get "-Dartifact=$1" -Dtransitive=false \
        ${NUVYN_MAVEN_URL:+"-DremoteRepositories=$NUVYN_MAVEN_URL"} &&
        mvn --quiet --batch-mode -Dstyle.color=never "${repository[@]}" dependency:copy "-Dartifact=$1" "-DoutputDirectory=$folder") ||
        die "Maven could not fetch $1"
    mv "$folder/$artifact-$version.jar" "$2"
    rm -rf "$folder"
}

install_jars() {
    local coordinates checksum artifact version
    mkdir -p "$jars"
    while read -r coordinates checksum; do
        [[ -z $coordinates || $coordinates == \#* ]] && continue
        IFS=: read -r _ artifact version <<<"$coordinates"
        has_checksum "$jars/$artifact-$version.jar" "$checksum" && continue
        echo "Fetching $coordinates ..."
        fetch_jar "$coordinates" "$jars/$artifact-$version.jar"
        has_checksum "$jars/$artifact-$version.jar" "$checksum" || {
            rm -f "$jars/$artifact-$version.jar"
            die "$coordinates: the SHA-256 is not the one in jars.txt"
        }
    done <"$here/jars.txt"
}

install_catalog() {
    local sources stamp spark classes
    mapfile -t sources < <(find "$here/java" -name '*.java' | sort)
    stamp=$(stamp_of "${sources[@]}" "$here/jars.txt" "$here/requirements.txt")
    [[ -f $jars/nuvyn-catalog.jar && $(cat "$jars/.nuvyn-catalog-stamp" 2>/dev/null) == "$stamp" ]] && return
    need javac openjdk-17-jdk-headless
    echo "Compiling the workspace's catalog ..."
    spark=$("$venv/bin/python" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')/jars
    classes=$(mktemp -d "$jars/.classes.XXXXXX")
    javac -nowarn -encoding UTF-8 --release 17 -d "$classes" -cp "$spark/*:$jars/*" "${sources[@]}" ||
        die "the catalog in $here/java does not compile"
    jar --create --file "$jars/.nuvyn-catalog.jar" -C "$classes" .
    mv "$jars/.nuvyn-catalog.jar" "$jars/nuvyn-catalog.jar"
    rm -rf "$classes"
    echo "$stamp" >"$jars/.nuvyn-catalog-stamp"
}

# Of no use to another Java or to other jars. Without it all works as well, and every start takes longer.
install_classes() {
    local stamp archive=$jars/classes.jsa draft=$jars/.classes.jsa
    stamp=$({ java -version; cat "$jars/.nuvyn-catalog-stamp" "$here/rehearse.py"; echo "$jars"; } 2>&1 | sha256sum | cut -d' ' -f1)
    [[ $(cat "$jars/.nuvyn-classes-stamp" 2>/dev/null) == "$stamp" ]] && return
    echo "Rehearsing with Spark, so that it starts faster from now on ..."
    rm -f "$draft"
    if "$venv/bin/python" -B "$here/rehearse.py" "$jars" "$draft" >"$home/rehearsal.log" 2>&1 && [[ -s $draft ]]; then
        mv "$draft" "$archive"
    else
        echo "workspace/kernel/install.sh: no archive of Spark's classes was made, so it will start slower ($home/rehearsal.log)" >&2
        rm -f "$archive" "$draft"
    fi
    echo "$stamp" >"$jars/.nuvyn-classes-stamp"
}

need java openjdk-17-jdk-headless
mkdir -p "$home"
exec 9>"$home/.install-spark.lock"
flock 9
install_venv
install_jars
install_catalog
install_classes
