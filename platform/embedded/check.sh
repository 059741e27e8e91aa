#!/usr/bin/env bash
# What make check runs: every checker, even after one has failed; the failed ones are named at the end.
set -uo pipefail
cd "$(dirname "$0")/../.."
export PYTHONPATH="$PWD:$PWD/platform"
failed=()

step() {
    local name=$1
    shift
    echo "── $name"
    "$@" || failed+=("$name")
}

# The environment of an imaginary production, so that check --deploy judges the settings that would serve.
production() {
    env PRODUCTION=1 PUBLIC_ORIGIN=https://crm.example BASE_DOMAIN=crm.example \
        SECRET_KEY="$(.venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(60))')" \
        DATABASE_URL=postgresql://rapport_app:only-imagined-1@db.example/rapport \
        DATABASE_OWNER_URL=postgresql://rapport_owner:only-imagined-2@db.example/rapport \
        VALKEY_URL=redis://cache.example/0 TRUSTED_PROXIES=1 \
        STRIPE_SECRET_KEY=sk_live_only_imagined_1 STRIPE_WEBHOOK_SECRET=whsec_only_imagined_one_two EMAIL_URL=submission://user:secret@mail.example "$@"
}

no_database() {
    env -u DATABASE_URL -u DATABASE_OWNER_URL -u VALKEY_URL DATA="$(mktemp -d)" LOG_LEVEL=WARNING "$@"
}

step "ruff" .venv/bin/ruff check .
step "ruff format" .venv/bin/ruff format --check .
step "mypy" .venv/bin/mypy --cache-dir=/dev/null
step "import-linter" .venv/bin/lint-imports --no-cache --no-logo
step "djade" bash -c 'find templates crm tenants billing api -name "*.html" -print0 | xargs -0 -r .venv/bin/djade --check --target-version 6.1'
step "makemigrations" no_database .venv/bin/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
step "check --deploy" production .venv/bin/python manage.py check --deploy --fail-level WARNING

if ((${#failed[@]})); then
    printf 'make check failed in:'
    printf ' %s;' "${failed[@]}"
    echo
    exit 1
fi
echo "make check: all good"
