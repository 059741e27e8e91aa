"""The colours that people choose from and things are told apart by: tokens of the style sheet."""

COLORS = ("gray", "red", "orange", "amber", "yellow", "lime", "green", "teal", "cyan", "blue", "violet", "pink")


def tint(key: object) -> str:
    """One of the colours, always the same for the same key."""
    return COLORS[sum(str(key).encode()) % len(COLORS)]
