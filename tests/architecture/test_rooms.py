"""A folder stays small enough that a newcomer reads its list of files in one look."""

from pathlib import Path

from django.conf import settings

MAX_FILES = 20
DIVIDED = ("crm/records",)
"""Rooms that are divided into folders; what is made by Django in migrations grows by itself."""


def test_no_folder_of_a_divided_room_holds_more_than_twenty_files():
    root = Path(settings.ROOT)
    folders = [folder for room in DIVIDED for folder in (root / room, *(root / room).rglob("*")) if folder.is_dir()]
    assert folders
    crowded = {
        str(folder.relative_to(root)): count
        for folder in folders
        if folder.name != "migrations" and (count := len(list(folder.glob("*.py")))) > MAX_FILES
    }
    assert crowded == {}
