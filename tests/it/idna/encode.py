"""Reads labels from a file, one a line, and prints the A-label of each, or an empty line.

A character that is younger than this Python's Unicode has no direction for it: `unknown`.
"""
import sys
import unicodedata
import idna


def encoded(label):
    if any(unicodedata.category(character) == "Cn" for character in label):
        return "unknown"
    try:
        return idna.encode(label, uts46=True, std3_rules=True, transitional=False).decode()
    except (idna.IDNAError, UnicodeError):
        return ""


with open(sys.argv[1], encoding="utf-8", newline="\n") as labels:
    print("\n".join(encoded(label.rstrip("\n")) for label in labels))
