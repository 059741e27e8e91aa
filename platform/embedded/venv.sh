#!/usr/bin/env bash
# Makes .venv with the newest Python from 3.12 to 3.14 and installs requirements.lock, when either is not yet so.
set -euo pipefail
cd "$(dirname "$0")/../.."

stamp=.venv/requirements.sha
wanted=$(cksum < requirements.lock)
suits='import sys; v = sys.version_info; sys.exit(not ((3, 12) <= v[:2] <= (3, 14) and v.releaselevel == "final"))'

suitable() {
    [[ -x .venv/bin/python ]] && .venv/bin/python -c "$suits" 2> /dev/null
}

complete() {
    [[ -f $stamp && $(< "$stamp") == "$wanted" ]] && suitable
}

complete && exit 0

# Two starts at once take turns; the turn of one that was killed passes on.
until mkdir .venv.lock 2> /dev/null; do
    holder=$(cat .venv.lock/pid 2> /dev/null || true)
    if [[ -n $holder ]] && ! kill -0 "$holder" 2> /dev/null; then rm -rf .venv.lock; else sleep 0.2; fi
done
trap 'rm -rf .venv.lock' EXIT
echo $$ > .venv.lock/pid
complete && exit 0

if ! suitable; then
    candidates=()
    for version in 3.14 3.13 3.12; do
        candidates+=("python$version")
        for home in "${PYENV_ROOT:-}" "${HOME:-}/.pyenv" "${HOME:-}/.local/share/uv"; do
            [[ -n $home ]] || continue
            for found in "$home/versions/$version".*/bin/python "$home/python/cpython-$version".*/bin/python3; do
                [[ -x $found ]] && candidates+=("$found")
            done
        done
    done
    candidates+=(python3 python)
    chosen=
    for candidate in "${candidates[@]}"; do
        if "$candidate" -c "import venv, ensurepip; $suits" 2> /dev/null; then
            chosen=$candidate
            break
        fi
    done
    if [[ -z $chosen ]]; then
        echo "Rapport needs Python 3.12, 3.13 or 3.14, and none was found (looked on PATH and among pyenv's)." >&2
        exit 1
    fi
    echo "Making .venv with $("$chosen" --version) …"
    "$chosen" -m venv --clear .venv
fi

echo "Installing the packages of requirements.lock …"
.venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
echo "$wanted" > "$stamp"
