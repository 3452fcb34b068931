"""A captcha's picture: digits that a person reads at a glance, as a PNG that needs no library to be made."""

from __future__ import annotations

import struct
import zlib

#: Five columns by seven rows, a row in five bits.
_GLYPHS = {
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
}
_SCALE, _MARGIN = 6, 12


def png_of(digits: str) -> bytes:
    """The digits in black on light grey, with a line through them."""
    width = 2 * _MARGIN + 6 * _SCALE * len(digits)
    height = 2 * _MARGIN + 7 * _SCALE
    rows = [bytearray([225] * width) for _ in range(height)]
    for place, digit in enumerate(digits):
        for y, bits in enumerate(_GLYPHS[digit]):
            for x in range(5):
                if bits >> (4 - x) & 1:
                    left, top = _MARGIN + (6 * place + x) * _SCALE, _MARGIN + y * _SCALE + place % 2 * 3
                    for line in rows[top : top + _SCALE]:
                        line[left : left + _SCALE] = bytes([20] * _SCALE)
    for x in range(width):
        rows[_MARGIN + x * 5 * _SCALE // width][x] = 120
    packed = zlib.compress(b"".join(b"\x00" + bytes(row) for row in rows))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
