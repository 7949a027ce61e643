"""Reads a QR code as a terminal shows it: small ones of one segment of bytes, and without mending
anything, since a screen has no scratches (ISO/IEC 18004)."""

import re

HALVES = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}
MASKS = [
    lambda x, y: (x + y) % 2, lambda x, y: y % 2, lambda x, y: x % 3, lambda x, y: (x + y) % 3,
    lambda x, y: (x // 3 + y // 2) % 2, lambda x, y: x * y % 2 + x * y % 3,
    lambda x, y: (x * y % 2 + x * y % 3) % 2, lambda x, y: ((x + y) % 2 + x * y % 3) % 2,
]


def modules(screen):
    """Rows of dark (True) modules, without the quiet zone: of what was shown on a terminal."""
    lines = [line for line in re.sub("\x1b\\[[0-9;]*m", "", screen).splitlines()
             if len(line) >= 25 and set(line) <= set(HALVES)]
    rows = [[not HALVES[char][half] for char in line] for line in lines for half in (0, 1)]
    size = len(rows[0]) - 4
    assert all(len(row) == size + 4 for row in rows) and len(rows) >= size + 4, screen
    assert not any(any(row) for row in (rows[0], rows[1], rows[size + 2], rows[size + 3])), "no quiet zone"
    assert not any(row[0] or row[1] or row[-1] or row[-2] for row in rows[:size + 4]), "no quiet zone"
    return [row[2:-2] for row in rows[2:size + 2]]


def is_function(x, y, size):
    """Not data: finders, timing, the alignment pattern, the format."""
    corner = (x < 9 and y < 9) or (x < 9 and y >= size - 8) or (x >= size - 8 and y < 9)
    alignment = size > 21 and abs(x - (size - 7)) <= 2 and abs(y - (size - 7)) <= 2
    return corner or alignment or x == 6 or y == 6


def read(screen):
    """The text."""
    rows = modules(screen)
    size = len(rows)
    version = (size - 17) // 4
    assert size % 4 == 1 and 1 <= version <= 5, size    # those of level L have one block
    found = [rows[8][i] for i in range(5)]
    level, mask = [int(bit) ^ fixed for bit, fixed in zip(found[:2], (1, 0), strict=True)], 0
    assert level == [0, 1], "not level L"
    for bit, fixed in zip(found[2:], (1, 0, 1), strict=True):
        mask = mask * 2 + (int(bit) ^ fixed)
    bits = []
    columns = [x for x in range(size - 1, 0, -2) if x > 6] + [5, 3, 1]
    for number, right in enumerate(columns):
        for y in range(size - 1, -1, -1) if number % 2 == 0 else range(size):
            bits += [rows[y][x] ^ (MASKS[mask](x, y) == 0) for x in (right, right - 1)
                     if not is_function(x, y, size)]
    number = int("".join(str(int(bit)) for bit in bits), 2)
    whole = number.to_bytes((len(bits) + 7) // 8, "big") if len(bits) % 8 == 0 else \
        (number << (8 - len(bits) % 8)).to_bytes(len(bits) // 8 + 1, "big")
    assert whole[0] >> 4 == 4, "not bytes"
    length = (whole[0] & 15) << 4 | whole[1] >> 4
    text = bytes((whole[i] & 15) << 4 | whole[i + 1] >> 4 for i in range(1, length + 1))
    return text.decode()
