"""What a production environment must give, and must not."""

from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

SERVERS = {
    "DATABASE_URL": "the embedded Postgres is for one machine; name the login role's database",
    "DATABASE_OWNER_URL": "the embedded Postgres is for one machine; name the owner role's database",
    "VALKEY_URL": "the embedded Valkey is for one machine",
    "EMAIL_URL": "the mail catcher delivers nothing",
}


def production_problems(environment: Mapping[str, str], development_secret: str) -> list[str]:
    """One line each, empty where the environment will do."""

    def on(name: str) -> bool:
        return environment.get(name, "").strip().lower() in {"1", "true", "yes", "on"}

    problems = [f"{name} is not set ({reason})" for name, reason in SERVERS.items() if not environment.get(name)]
    if embedded := environment.get("EMBEDDED"):
        problems.append(f"embedded parts are running ({embedded})")
    secret = environment.get("SECRET_KEY", "")
    if not secret or secret == development_secret:
        problems.append("SECRET_KEY is not set")
    elif len(secret) < 50 or len(set(secret)) < 5:
        problems.append("SECRET_KEY is too weak: use 50 or more random characters")
    if on("DEBUG"):
        problems.append("DEBUG is on")
    if on("DEMO"):
        problems.append("DEMO is on")
    if not environment.get("PUBLIC_ORIGIN", "").startswith("https://"):
        problems.append("PUBLIC_ORIGIN does not start with https://")
    if environment.get("BASE_DOMAIN", "localhost") == "localhost":
        problems.append("BASE_DOMAIN is not set")
    return problems


def require_production_values(environment: Mapping[str, str], development_secret: str) -> None:
    problems = production_problems(environment, development_secret)
    if problems:
        raise ImproperlyConfigured("PRODUCTION is on, but " + "; ".join(problems) + ".")
